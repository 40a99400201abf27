from __future__ import annotations

import pytest

from moeclip_cli.errors import MissingExtraError
from moeclip_cli.extras import require_extra


def test_an_installed_package_is_no_error():
    require_extra("json.decoder", "train")


def test_a_missing_package_names_the_command_that_installs_it():
    with pytest.raises(
        MissingExtraError, match=r'nothing_like_it is not.*pip install "moeclip\[train\]"'
    ):
        require_extra("nothing_like_it.sub", "train")
