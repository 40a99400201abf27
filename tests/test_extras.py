from __future__ import annotations

import sys

import pytest

from moeclip_cli.errors import MissingExtraError
from moeclip_cli.extras import require_extra, require_installed


def test_an_installed_package_is_no_error():
    require_extra("json.decoder", "train")


def test_a_missing_package_names_the_command_that_installs_it():
    with pytest.raises(
        MissingExtraError, match=r'nothing_like_it is not.*pip install "moeclip\[train\]"'
    ):
        require_extra("nothing_like_it.sub", "train")


def test_a_package_is_found_without_its_import():
    require_installed("antigravity", "train")
    assert "antigravity" not in sys.modules
    with pytest.raises(MissingExtraError, match=r'pip install "moeclip\[train\]"'):
        require_installed("nothing_like_it", "train")
