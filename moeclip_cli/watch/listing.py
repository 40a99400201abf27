"""The files of a folder tree, listed again and again at little cost, also on a network share.

A folder whose modification time has not changed has the same names as before. It is then listed
only once in a while, because some servers are late with the time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, field
from pathlib import Path

from moeclip_cli.discovery.walk import OUTPUT_MARKER

# Two changes within the resolution of a time, 2 s on FAT, give the same one.
_RESOLUTION_SECONDS = 2.5
# Without a change, a folder is listed after this time, or this multiple of what listing it took.
_RELIST_SECONDS = 5.0
_RELIST_MULTIPLE = 50


@dataclass(frozen=True)
class Listed:
    """The files of one folder.

    Attributes:
        folder: POSIX path relative to the root; "" for the root.
        files: their names.
        error: reason why the folder cannot be listed.
    """

    folder: str
    files: frozenset[str] = frozenset()
    error: str | None = None


@dataclass
class _Folder:
    """What is known about a folder.

    Attributes:
        real: its path without links.
        modified_ns: its modification time.
        changed: when that was first seen, on the monotonic clock.
        listed: when it was listed.
        took: seconds that listing it took.
        folders: names of its subfolders.
    """

    real: str
    modified_ns: int = -1
    changed: float = 0.0
    listed: float = float("-inf")
    took: float = 0.0
    folders: list[str] = field(default_factory=list)

    def is_due(self, now: float) -> bool:
        """True if the names may have changed."""
        pause = max(_RELIST_SECONDS, _RELIST_MULTIPLE * self.took)
        return now - self.changed < _RESOLUTION_SECONDS or now - self.listed > pause


class Listing:
    """A folder tree that is listed repeatedly.

    Hidden files and folders, moeclip's own output folders, and folders to exclude are left out.
    Links to folders are followed, but no folder is listed twice.

    Args:
        root: the folder.
        exclude: folders to leave out; they need not exist.
    """

    def __init__(self, root: Path, exclude: Iterable[Path] = ()) -> None:
        self._root = root
        self._exclude = {os.path.realpath(path) for path in exclude}
        self._folders: dict[str, _Folder] = {}

    @property
    def folders(self) -> Set[str]:
        """The folders of the tree, as POSIX paths relative to the root."""
        return self._folders.keys()

    def changed(self) -> Iterator[Listed]:
        """Yield the folders whose names may have changed, and those that cannot be listed."""
        pending, visited = [""], set(self._exclude)
        known, self._folders = self._folders, {}
        while pending:
            name = pending.pop()
            location = self._root / name
            folder = known.get(name) or _Folder(os.path.realpath(location))
            self._folders[name] = folder
            if folder.real in visited:
                continue
            visited.add(folder.real)
            try:
                files = _list_if_due(location, folder, is_root=not name)
            except OSError as error:
                yield Listed(name, error=error.strerror or str(error))
                continue
            if files is not None:
                yield Listed(name, files)
            pending.extend(joined(name, each) for each in folder.folders)


def joined(folder: str, name: str) -> str:
    """The POSIX path of a name in a folder; the root is ""."""
    return f"{folder}/{name}" if folder else name


def _list_if_due(location: Path, folder: _Folder, *, is_root: bool) -> frozenset[str] | None:
    """The names of the files in a folder, if they may have changed."""
    now = time.monotonic()
    modified_ns = _modified_ns(location)
    if modified_ns != folder.modified_ns:
        folder.modified_ns, folder.changed = modified_ns, now
    if not folder.is_due(now):
        return None
    files: list[str] = []
    folders: list[str] = []
    with os.scandir(location) as entries:
        for entry in entries:
            if entry.name == OUTPUT_MARKER and not is_root:
                folder.folders = []
                return frozenset()
            if not entry.name.startswith("."):
                (folders if _is_folder(entry) else files).append(entry.name)
    folder.folders = folders
    folder.listed = time.monotonic()
    folder.took = folder.listed - now
    return frozenset(files)


def _modified_ns(folder: Path) -> int:
    """The modification time of a folder; opening it makes NFS ask the server."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # Windows cannot open a folder
        return folder.stat().st_mtime_ns
    try:
        return os.fstat(descriptor).st_mtime_ns
    finally:
        os.close(descriptor)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, for example; reading it later reports the error
        return False
