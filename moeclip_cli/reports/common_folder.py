"""The folder that paths have in common, which need not be repeated on every line."""

from __future__ import annotations

import os
from collections.abc import Iterable


def common_folder(paths: Iterable[str]) -> str:
    """The deepest folder that all paths have in common; "" for none but the root."""
    return _common(os.path.dirname(path) for path in paths)  # noqa: PTH120


def common_part(folders: Iterable[str]) -> str:
    """The deepest folder that all folders are or are in; "" for none but the root."""
    return _common(folders)


def below(path: str, folder: str) -> str:
    """The part of a path below a folder that it is in; the path itself for the folder ""."""
    return path[len(folder) :].lstrip("/\\") if folder else path


def _common(folders: Iterable[str]) -> str:
    named = list(folders)
    try:
        found = os.path.commonpath(named)
    except ValueError:  # absolute and relative paths, or several drives
        return ""
    if named[0].startswith(f"{found.partition('/')[0]}//"):  # URLs
        scheme, _, rest = found.partition("/")
        return f"{scheme}//{rest}" if rest else ""
    return "" if os.path.dirname(found) == found else found  # noqa: PTH120
