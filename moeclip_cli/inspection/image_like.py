"""Images in any form that an inspector takes, and how one is recognised."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from moeclip_cli.discovery.places import Place, place_of
from moeclip_cli.images.in_memory import is_array, is_encoded

if TYPE_CHECKING:
    import torch

ImageLike: TypeAlias = (
    "str | os.PathLike[str] | Place | bytes | BinaryIO | Image.Image | NDArray[Any] | torch.Tensor"
)
"""A path or URL, the content of a file (bytes, a stream), a Pillow image, an array or a tensor."""


def listed(images: Iterable[ImageLike] | ImageLike) -> Iterable[ImageLike]:
    """Several images as they are, a single one as a list."""
    single = isinstance(images, (str, os.PathLike, Place, Image.Image))
    if single or is_array(images) or is_encoded(images):
        return [cast(ImageLike, images)]
    return cast("Iterable[ImageLike]", images)


def place_and_name(image: ImageLike) -> tuple[ImageLike, str]:
    """What to decode, and how tables name it: "" for an image in memory."""
    place = place_of(image) if isinstance(image, (str, os.PathLike)) else image
    return place, str(place) if isinstance(place, Path | Place) else ""


def input_digest(pixels: NDArray[np.float32]) -> str:
    """SHA-256 of a network input (3, H, W), by which a reference is recognised."""
    return hashlib.sha256(pixels.tobytes()).hexdigest()
