"""Format and path of the picture of an image: JPEG for a large photograph, by default."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.choices import PictureChoice, PictureFormat
from moeclip_cli.files import write_errors
from moeclip_cli.images.encode import LONGEST_JPEG_SIDE, picture_suffix, save_picture
from moeclip_cli.runs.names import output_path

# A PNG of a photograph is several times as large as the JPEG that the photograph was, and takes ten
# times as long to encode (benchmarks/overlay_speed.py).
_LARGEST_PNG_PIXELS = 1_000_000
_FORMATS: tuple[PictureFormat, ...] = ("png", "jpeg")


def format_of(choice: PictureChoice, height: int, width: int) -> PictureFormat:
    """The format of a picture of this size; "auto" is JPEG above 1 megapixel, else PNG."""
    if choice != "auto":
        return choice
    large = height * width > _LARGEST_PNG_PIXELS and max(height, width) <= LONGEST_JPEG_SIDE
    return "jpeg" if large else "png"


def possible_paths(folder: Path, name: str, choice: PictureChoice) -> dict[PictureFormat, Path]:
    """The path of a picture in each format that it may have.

    Args:
        folder: the folder that mirrors the input tree.
        name: name of the image.
        choice: of the user.
    """
    formats = _FORMATS if choice == "auto" else (choice,)
    suffixes = tuple(map(picture_suffix, formats))
    return {
        one: output_path(folder, name, suffix, suffixes)
        for one, suffix in zip(formats, suffixes, strict=True)
    }


def write_picture(
    folder: Path, name: str, choice: PictureChoice, picture: NDArray[np.uint8]
) -> None:
    """Write the picture of an image, and remove an earlier one in another format.

    Args:
        folder: the folder that mirrors the input tree.
        name: name of the image.
        choice: of the user.
        picture: (H, W, 3) uint8 RGB.

    Raises:
        ImageError, UsageError: see `save_picture`.
    """
    one = format_of(choice, *picture.shape[:2])
    paths = possible_paths(folder, name, choice)
    save_picture(paths.pop(one), picture, one)
    for path in paths.values():
        with write_errors(path):
            path.unlink(missing_ok=True)
