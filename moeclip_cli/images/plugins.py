"""Readers of HEIC and AVIF, whose libraries are not part of every installation."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import BinaryIO

from PIL import ImageFile, features

from moeclip_cli.errors import ImageError, MissingExtraError
from moeclip_cli.extras import require_extra

Reader = Callable[[BinaryIO], ImageFile.ImageFile]


def heic_is_readable() -> bool:
    """Whether the reader of HEIC photos is installed."""
    return find_spec("pillow_heif") is not None


def heic_reader() -> Reader:
    """The reader of HEIC photos.

    Raises:
        ImageError: if it is not installed; the message has the command that installs it.
    """
    try:
        require_extra("pillow_heif", "heif")
    except MissingExtraError as error:
        # Temporary, so that a resumed run reads the photos once the reader is there.
        raise ImageError(f"This is a HEIC photo; {error}", temporary=True) from error
    from pillow_heif import HeifImageFile

    reader: Reader = HeifImageFile
    return reader


def avif_reader() -> Reader:
    """The reader of AVIF images, which Pillow includes since 11.3.

    Raises:
        ImageError: if this Pillow does not have it; the message has the command that installs it.
    """
    if "avif" not in features.modules or not features.check("avif"):
        raise ImageError(
            'This is an AVIF image; update Pillow to read it: pip install "pillow>=11.3"',
            temporary=True,
        )
    from PIL.AvifImagePlugin import AvifImageFile

    return AvifImageFile
