"""Format and path of the picture of an image: JPEG for a large photograph, by default."""

from __future__ import annotations

from pathlib import Path

from moeclip_cli.choices import PictureChoice, PictureFormat
from moeclip_cli.images.encode import LONGEST_JPEG_SIDE, picture_suffix
from moeclip_cli.runs.names import output_path

# A PNG of a photograph is several times as large as the JPEG that the photograph was.
_LARGEST_PNG_PIXELS = 2_000_000
_FORMATS: tuple[PictureFormat, ...] = ("png", "jpeg")


def format_of(choice: PictureChoice, height: int, width: int) -> PictureFormat:
    """The format of a picture of this size; "auto" is JPEG above 2 megapixels, else PNG."""
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
