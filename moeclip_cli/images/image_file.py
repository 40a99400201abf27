"""Image files: opening them, and identifying their format by content."""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from moeclip_cli.discovery.extensions import DICOM_EXTENSIONS, OTHER_EXTENSIONS
from moeclip_cli.errors import ImageError
from moeclip_cli.extras import installation
from moeclip_cli.images.dicom import DICOM
from moeclip_cli.images.plugins import heic_is_readable
from moeclip_cli.images.video import VIDEO

FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WebP", "GIF", "PGM/PPM", "HEIC", "AVIF", DICOM)

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
# Brands of the file type box, at offset 4.
_BRANDS = {
    b"ftypavi": "AVIF",
    b"ftyphe": "HEIC",
    b"ftypmif1": "HEIC",
    b"ftypmsf1": "HEIC",
}

# Formats that must be converted first: (offset, bytes) -> name. The first match counts.
_UNSUPPORTED = {
    (4, b"ftypcrx "): "a raw photo (Canon CR3)",
    (4, b"ftypjp2 "): "a JPEG 2000 image",
    (0, b"\0\0\0\x0cjP  "): "a JPEG 2000 image",
    (0, b"\xff\x4f\xff\x51"): "a JPEG 2000 image",
    (0, b"\0\0\0\x0cJXL "): "a JPEG XL image",
    (0, b"\xff\x0a"): "a JPEG XL image",
    (0, b"8BPS"): "a Photoshop file",
    (0, b"v/1\x01"): "an OpenEXR image",
    (0, b"#?RADIANCE"): "a Radiance HDR image",
    (0, b"FUJIFILMCCD-RAW"): "a raw photo (Fujifilm RAF)",
    (0, b"IIU\0"): "a raw photo (Panasonic RW2)",
    (0, b"IIRO"): "a raw photo (Olympus ORF)",
    (0, b"IIRS"): "a raw photo (Olympus ORF)",
    (0, b"MMOR"): "a raw photo (Olympus ORF)",
    (128, b"DICM"): DICOM,
    (0, b"%PDF"): "a PDF document",
    (0, b"\x1aE\xdf\xa3"): VIDEO,
    (4, b"ftyp"): VIDEO,
    (4, b"moov"): VIDEO,
}
_HEADER_BYTES = 4096

_SYSTEM_ERRORS = {
    errno.ENOENT: "The file was not found; check the path.",
    errno.ENOTDIR: "The file was not found; part of its path is a file, not a folder.",
    errno.EACCES: "Permission to read this file is denied; change its permissions.",
    errno.EPERM: "Permission to read this file is denied; change its permissions.",
    errno.EISDIR: "This is a folder, not an image; name the images in it.",
    errno.ENAMETOOLONG: "The path is too long for this system; shorten it.",
    errno.ELOOP: "This is a circular link; name the file itself.",
}


def describe_system_error(error: OSError) -> str:
    """Return a one-sentence message for an error of the operating system."""
    if error.errno in _SYSTEM_ERRORS:
        return _SYSTEM_ERRORS[error.errno]
    return f"The file could not be read: {error.strerror or error}."


class SlowFileError(Exception):
    """A file is read in so many small pieces that reading it takes long."""


class ImageStream(io.BufferedReader):
    """A file that is read at most a number of times.

    Pillow parses headers in Python; a hostile file has millions of chunks or comment characters.

    Attributes:
        reads_left: number of calls of `read` before `SlowFileError` is raised; None for no limit.
    """

    reads_left: int | None = None

    def read(self, size: int | None = -1, /) -> bytes:
        """Read up to `size` bytes.

        Raises:
            SlowFileError: if the file has been read too many times.
        """
        if self.reads_left is not None:
            if self.reads_left <= 0:
                raise SlowFileError
            self.reads_left -= 1
        return super().read(size)


@contextmanager
def open_image_file(path: Path) -> Iterator[ImageStream]:
    """Open a file for reading.

    Raises:
        ImageError: if the file does not exist, cannot be read or is not a regular file.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):  # opening a pipe would block until it is written to
            raise ImageError("This is a pipe, socket or device; name an image file.")
        stream = ImageStream(io.FileIO(path))
    except FileNotFoundError as error:
        message = describe_system_error(error)
        if path.is_symlink():
            message = f"This is a link to {path.readlink()}, which does not exist."
        raise ImageError(message, temporary=True) from error
    except OSError as error:
        raise ImageError(describe_system_error(error), temporary=True) from error
    except ValueError as error:
        raise ImageError("The path contains a character that is invalid in file names.") from error
    with stream:
        yield stream


def identify_format(stream: BinaryIO) -> str:
    """Return the format, one of `FORMATS` or a video, that the first bytes of a file indicate.

    Raises:
        ImageError: if the file is empty, of another format, or cannot be read.
    """
    try:
        stream.seek(0)
        header = stream.read(_HEADER_BYTES)
        stream.seek(0)
    except OSError as error:
        raise ImageError(describe_system_error(error), temporary=True) from error
    if not header:
        raise ImageError("The file is empty (0 bytes); copy or export it again.")
    if header.startswith(b"RIFF") and header[8:12] == b"WEBP":
        return "WebP"
    for signature, name in _SIGNATURES.items():
        if header.startswith(signature):
            return name
    for brand, name in _BRANDS.items():
        if header.startswith(brand, 4):
            # Files of several images have a general brand first; the others name the codec.
            return "AVIF" if b"avif" in header[8:64] else name
    other = _other_format(header) or _kind_by_name(stream)
    if _is_web_page(header):
        raise ImageError("This is a web page, not an image; give the address of the image itself.")
    if other in (DICOM, VIDEO):
        return other
    if other is not None:
        raise ImageError(f"This is {other}, which is not supported; convert it to PNG or TIFF.")
    readable = [each for each in FORMATS if each != "HEIC" or heic_is_readable()]
    remedy = "" if heic_is_readable() else f"; HEIC photos need {installation('heif')}"
    raise ImageError(f"This is not an image in a supported format ({', '.join(readable)}{remedy}).")


def _is_web_page(header: bytes) -> bool:
    start = header.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return start.startswith((b"<!doctype html", b"<html"))


def _other_format(header: bytes) -> str | None:
    """Return the name of an unsupported format, if these first bytes are of one."""
    for (offset, signature), name in _UNSUPPORTED.items():
        if header.startswith(signature, offset):
            return name
    if header.startswith(b"RIFF") and header[8:12] == b"AVI ":
        return VIDEO
    if header.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") and b"<svg" in header:
        return "an SVG drawing"
    return None


def _kind_by_name(stream: BinaryIO) -> str | None:
    """Return what a file without a known signature is according to its extension."""
    name = getattr(stream, "name", "")
    suffix = Path(name).suffix.lower() if isinstance(name, Path) else ""
    if suffix in DICOM_EXTENSIONS:
        return DICOM
    kind = OTHER_EXTENSIONS.get(suffix)
    return VIDEO if kind == "a video" else kind
