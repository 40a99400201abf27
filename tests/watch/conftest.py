from __future__ import annotations

import pytest


@pytest.fixture
def folder(tmp_path):
    """The folder that is watched."""
    path = tmp_path / "in"
    path.mkdir()
    return path
