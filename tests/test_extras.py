from __future__ import annotations

import sys
from importlib import metadata

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


@pytest.mark.parametrize(
    ("extra", "command"),
    [
        ("parquet", r'pip install "moeclip-runtime\[parquet\]"$'),
        ("server", r'pip install "moeclip\[server\]", in another environment than moeclip-'),
    ],
)
def test_moeclip_is_never_installed_over_its_runtime(monkeypatch, extra, command):
    monkeypatch.setattr(metadata, "version", {"moeclip-runtime": "1"}.__getitem__)
    with pytest.raises(MissingExtraError, match=command):
        require_extra("nothing_like_it", extra)
