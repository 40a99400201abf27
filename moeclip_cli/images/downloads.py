"""Downloads: files at URLs as temporary files, which the readers of images need."""

from __future__ import annotations

import os
import tempfile
import threading
import weakref
from contextlib import suppress
from pathlib import Path, PurePosixPath

from moeclip_cli.discovery.places import Place, RemoteFile
from moeclip_cli.discovery.remote import fetch
from moeclip_cli.errors import ImageError

# The largest values of a pixel: four of 16 bits. Compressed files have fewer.
_BYTES_PER_PIXEL = 8
_HEADER_BYTES = 16_000_000
_LONGEST_SUFFIX = 10


class Download(Place):
    """A file at a URL that is fetched once, and kept as long as this object.

    Args:
        file: the file.
    """

    def __init__(self, file: RemoteFile) -> None:
        self.file = file
        self._path: Path | None = None
        self._lock = threading.Lock()

    def __str__(self) -> str:
        return str(self.file)

    def path(self, max_pixels: int) -> Path:
        """The temporary file. Thread-safe.

        Args:
            max_pixels: files that are larger than an image of so many pixels are refused.

        Raises:
            ImageError: if the file cannot be read, or is too large.
        """
        with self._lock:
            if self._path is None:
                self._path = self._fetched(max_pixels * _BYTES_PER_PIXEL + _HEADER_BYTES)
            return self._path

    def _fetched(self, most_bytes: int) -> Path:
        # The suffix tells kinds of files apart that have no signature.
        suffix = PurePosixPath(str(self).partition("?")[0]).suffix[:_LONGEST_SUFFIX]
        try:
            handle, name = tempfile.mkstemp(prefix="moeclip-", suffix=suffix)
        except OSError as error:
            raise ImageError(
                "The folder for temporary files cannot be written; set TMPDIR to another one.",
                temporary=True,
            ) from error
        weakref.finalize(self, _remove, name)
        with os.fdopen(handle, "wb") as stream:
            fetch(self.file, stream, most_bytes)
        return Path(name)


def _remove(name: str) -> None:
    with suppress(OSError):
        Path(name).unlink()
