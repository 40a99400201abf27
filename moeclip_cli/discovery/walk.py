"""Folder walk: every file once, in a fixed order, despite links, loops and unreadable folders."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from moeclip_cli.discovery.ordering import natural_key, sort_names

OUTPUT_MARKER = ".moeclip-out"
"""Name of the file that marks a folder as moeclip's own output."""


@dataclass(frozen=True)
class WalkEntry:
    """A file or an unreadable folder below the root.

    Attributes:
        path: POSIX path relative to the root.
        error: reason why the folder at that path cannot be listed; None for a file.
    """

    path: str
    error: str | None = None


def walk(
    root: Path, *, enter: Callable[[str], bool], exclude: Path | None = None
) -> Iterator[WalkEntry]:
    """Yield the files below a folder: its own in natural order, then those of its subfolders.

    Links to folders are followed, but no folder is listed twice. Folders that hold moeclip's own
    results are skipped, unless one of them is the root. An unreadable folder is yielded with its
    error.

    Args:
        root: the folder to walk.
        enter: predicate that receives a subfolder's POSIX path relative to the root and decides
            if the walk enters it.
        exclude: folder to skip; it need not exist.
    """
    seen: set[tuple[int, int] | str] = set()
    if exclude is not None:
        with suppress(OSError):  # it does not exist, or cannot be reached
            seen.add(_identity(exclude))
    pending = [""]
    while pending:
        folder = pending.pop()
        prefix = f"{folder}/" if folder else ""
        location = root / folder
        try:
            identity = _identity(location)
            if identity in seen or (folder and (location / OUTPUT_MARKER).exists()):
                continue
            seen.add(identity)
            files, subfolders = _list(location)
        except OSError as error:
            yield WalkEntry(folder, error.strerror or str(error))
            continue
        for name in files:
            yield WalkEntry(prefix + name)
        subfolders.sort(key=natural_key, reverse=True)
        pending.extend(path for name in subfolders if enter(path := prefix + name))


def _identity(folder: Path) -> tuple[int, int] | str:
    """Return a key that is the same for all paths to one folder and unique to that folder."""
    status = folder.stat()
    # Some network file systems report inode 0.
    return (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(folder)


def _list(folder: Path) -> tuple[Iterator[str], list[str]]:
    """Return the sorted names of a folder's files, and the names of its subfolders."""
    subfolders: list[str] = []

    def file_names(entries: Iterable[os.DirEntry[str]]) -> Iterator[str]:
        for entry in entries:
            if _is_folder(entry):
                subfolders.append(entry.name)
            else:
                yield entry.name

    with os.scandir(folder) as entries:
        return sort_names(file_names(entries)), subfolders


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, for example; reading it later reports the error
        return False
