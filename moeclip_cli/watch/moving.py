"""Moving a picture: never over another file, also to another disk, and again after a kill."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path

from moeclip_cli.files import replacing, size_and_time, write_errors
from moeclip_cli.watch.picture import Picture

# File systems keep times in steps of up to 2 s.
_TIME_RESOLUTION_NS = 2_000_000_000


def require_writable(folder: Path) -> None:
    """Check that pictures can be moved below a folder, which is made if it is missing.

    Raises:
        UsageError: if a file cannot be written there.
    """
    with write_errors(folder, "move_to"):
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()


def free_path(folder: Path, picture: Picture, identifier: str) -> Path:
    """A path in a folder that does not exist, named after a picture.

    Args:
        folder: the folder.
        picture: gives the name; if it exists there, that with its time.
        identifier: added to the name if both exist.
    """
    dated = folder / picture.dated_name
    names = (folder / picture.name, dated, dated.with_stem(f"{dated.stem}~{identifier}"))
    return next((path for path in names[:2] if not os.path.lexists(path)), names[2])


def move(source: Path, picture: Picture, destination: Path) -> bool:
    """Move a picture, or finish a move that was interrupted.

    Args:
        source: where it was.
        picture: its state; a file with another state is not moved.
        destination: where it goes; the folder is made.

    Returns:
        True if the picture is at `destination` and no longer at `source`.

    Raises:
        OSError, UsageError: if a file cannot be written or removed, or `destination` is another
            file. The picture is then still at `source`.
    """
    there = _is_copy(destination, picture)
    if not picture.is_unchanged(source):
        return there
    if there:  # copied, but not removed yet
        source.unlink()
        return True
    destination.parent.mkdir(parents=True, exist_ok=True)
    _reserve(destination)
    try:
        _move_over(source, destination)
    except BaseException:
        if not _is_copy(destination, picture):
            destination.unlink(missing_ok=True)
        raise
    return True


def _is_copy(path: Path, picture: Picture) -> bool:
    state = size_and_time(path)
    if state is None:
        return False
    size, modified_ns = state
    return size == picture.size and abs(modified_ns - picture.modified_ns) <= _TIME_RESOLUTION_NS


def _reserve(path: Path) -> None:
    """Make an empty file, unless a killed process has left one."""
    try:
        path.open("xb").close()
    except FileExistsError:
        if path.stat().st_size:
            raise


def _move_over(source: Path, reserved: Path) -> None:
    """Move a file over a reserved one; to another disk, as a copy that appears as a whole."""
    try:
        source.replace(reserved)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        status = source.stat()
        with source.open("rb") as old, replacing(reserved, durable=True) as new:
            shutil.copyfileobj(old, new)
            new.flush()
            # Before it appears: with another time it would be taken for another file.
            os.utime(new.name, ns=(status.st_atime_ns, status.st_mtime_ns))
        source.unlink()
