"""Fixtures for tests of files that the user has no permission to read."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_NOBODY = 65534


@contextmanager
def _without_rights() -> Iterator[None]:
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def without_rights():
    """A context in which the process runs as an ordinary user, even if the tests run as root."""
    if not hasattr(os, "geteuid"):
        pytest.skip("requires POSIX permissions")
    return _without_rights


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A temporary folder that an ordinary user can read, unlike the one of pytest."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o755)
