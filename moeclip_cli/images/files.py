"""Opening an image file and telling its format by its content, each failure in one sentence."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from moeclip_cli.errors import ImageError

FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WebP", "GIF", "PGM/PPM")

_SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"GIF8": "GIF",
    b"P1": "PGM/PPM",
    b"P2": "PGM/PPM",
    b"P3": "PGM/PPM",
    b"P4": "PGM/PPM",
    b"P5": "PGM/PPM",
    b"P6": "PGM/PPM",
}

# What people hand over as an image but have to convert first: (offset, bytes) -> name.
_FOREIGN = {
    (4, b"ftyphei"): "a HEIC photo",
    (4, b"ftypmif1"): "a HEIC photo",
    (4, b"ftypavif"): "an AVIF image",
    (0, b"\0\0\0\x0cjP  "): "a JPEG 2000 image",
    (128, b"DICM"): "a DICOM file",
    (0, b"%PDF"): "a PDF document",
}
_HEAD = 132

_SYSTEM_ERRORS = {
    errno.ENOENT: "There is no such file; it was moved, deleted or mistyped.",
    errno.ENOTDIR: "There is no such file; a folder in its path is a file.",
    errno.EACCES: "Reading this file is not permitted; change its permissions.",
    errno.EPERM: "Reading this file is not permitted; change its permissions.",
    errno.EISDIR: "This is a folder, not an image; name the images in it.",
    errno.ENAMETOOLONG: "The path is too long for this system; shorten it.",
    errno.ELOOP: "This is a link that leads back to itself; name the file that is meant.",
}


def describe_system_error(error: OSError) -> str:
    """One sentence for an error of the operating system."""
    if error.errno in _SYSTEM_ERRORS:
        return _SYSTEM_ERRORS[error.errno]
    return f"The file could not be read: {error.strerror or error}."


@contextmanager
def open_image_file(path: Path) -> Iterator[BinaryIO]:
    """Opens a file for reading.

    Raises:
        ImageError: if there is no such file, it may not be read, or it is no regular file.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):  # opening a pipe would block until somebody writes to it
            raise ImageError("This is a pipe, socket or device; name an image file.")
        stream = path.open("rb")
    except FileNotFoundError as error:
        message = describe_system_error(error)
        if path.is_symlink():
            message = f"This is a link to {path.readlink()}, which does not exist."
        raise ImageError(message) from error
    except OSError as error:
        raise ImageError(describe_system_error(error)) from error
    except ValueError as error:
        raise ImageError("The path has a character that no file name can have.") from error
    with stream:
        yield stream


def identify(stream: BinaryIO) -> str:
    """The format in `FORMATS` that the first bytes of a file show.

    Raises:
        ImageError: if the file is empty, of another format, or cannot be read.
    """
    try:
        stream.seek(0)
        head = stream.read(_HEAD)
        stream.seek(0)
    except OSError as error:
        raise ImageError(describe_system_error(error)) from error
    if not head:
        raise ImageError("The file is empty (0 bytes); copy or export it again.")
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WebP"
    for signature, name in _SIGNATURES.items():
        if head.startswith(signature):
            return name
    for (offset, signature), name in _FOREIGN.items():
        if head[offset:].startswith(signature):
            raise ImageError(f"This is {name}, which is not supported; convert it to PNG or TIFF.")
    raise ImageError(f"This is not an image in a supported format ({', '.join(FORMATS)}).")
