"""Writing files: a reader never meets half of one, and a failure is one sentence."""

from __future__ import annotations

import errno
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from moeclip_cli.errors import UsageError

_REMEDIES = {
    errno.ENOSPC: "the disk is full; free some space or choose another {option}",
    errno.EDQUOT: "the disk quota is used up; free some space or choose another {option}",
    errno.EACCES: "there is no permission to write there; choose another {option}",
    errno.EPERM: "there is no permission to write there; choose another {option}",
    errno.EROFS: "the disk is read-only; choose another {option}",
    errno.ENAMETOOLONG: "the path is too long; choose a shorter {option}",
    errno.ENOTDIR: "part of its path is a file, not a folder; choose another {option}",
    errno.EEXIST: "part of its path is a file, not a folder; choose another {option}",
    errno.EISDIR: "there is a folder of that name; choose another {option}",
}


@contextmanager
def write_errors(path: Path, option: str = "--out") -> Iterator[None]:
    """Turn every `OSError` of the block into a `UsageError` about writing `path`.

    `option` is what the user chose `path` with.
    """
    try:
        yield
    except OSError as error:
        unforeseen = f"{error.strerror or error}; choose another {option}"
        remedy = _REMEDIES.get(error.errno or 0, unforeseen).replace("{option}", option)
        raise UsageError(f"Cannot write {path}: {remedy}.") from error


@contextmanager
def replacing(path: Path, option: str = "--out") -> Iterator[BinaryIO]:
    """A stream whose content becomes `path` when the block ends without an error.

    Missing parent folders are made. Until the end, and after an error, `path` is what it was.

    Raises:
        UsageError: if the file cannot be written.
    """
    # A short name of its own, because `path` may already be as long as a name can be.
    partial = path.with_name(f".{secrets.token_hex(8)}.partial")
    with write_errors(path, option):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("xb") as stream:
                yield stream
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
