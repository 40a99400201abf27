"""Walking a folder: every file once, in a fixed order, whatever the folder is like."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from moeclip_cli.images.ordering import natural_key, sort_names

# The presence of this file says that a folder holds moeclip's own results.
OUTPUT_MARKER = ".moeclip-out"


@dataclass(frozen=True)
class Found:
    """Something found below the root.

    Attributes:
        path: POSIX path relative to the root.
        error: why the folder at that path could not be listed; None if it is a file.
    """

    path: str
    error: str | None = None


def walk(
    root: Path, *, enter: Callable[[str], bool], exclude: Path | None = None
) -> Iterator[Found]:
    """Yields the files below a folder: a folder's own in natural order, then its subfolders'.

    Links to folders are followed, but no folder is listed twice. Folders of moeclip's own results
    are left out, unless one is the root. A folder that cannot be listed is yielded with its error.

    Args:
        root: the folder.
        enter: whether to look into the subfolder at a POSIX path relative to the root.
        exclude: a folder to leave out; need not exist.
    """
    seen = {_identity(exclude)} if exclude is not None and exclude.is_dir() else set()
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        prefix = f"{folder}/" if folder else ""
        here = root / folder
        try:
            identity = _identity(here)
            if identity in seen or (folder and (here / OUTPUT_MARKER).exists()):
                continue
            seen.add(identity)
            files, folders = _list(here)
        except OSError as error:
            yield Found(folder, error.strerror or str(error))
            continue
        for name in files:
            yield Found(prefix + name)
        folders.sort(key=natural_key, reverse=True)
        waiting.extend(path for name in folders if enter(path := prefix + name))


def _identity(folder: Path) -> tuple[int, int] | str:
    """What tells a folder from all others, whatever path leads to it."""
    status = folder.stat()
    # Some network file systems number nothing.
    return (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(folder)


def _list(folder: Path) -> tuple[Iterator[str], list[str]]:
    """Names of the files, sorted, and of the subfolders of a folder."""
    folders: list[str] = []

    def files(entries: Iterable[os.DirEntry[str]]) -> Iterator[str]:
        for entry in entries:
            if _is_folder(entry):
                folders.append(entry.name)
            else:
                yield entry.name

    with os.scandir(folder) as entries:
        return sort_names(files(entries)), folders


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads back to itself, say: reading it will tell
        return False
