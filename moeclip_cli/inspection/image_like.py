"""Images in any form that an inspector takes, and how one is recognised."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from moeclip_cli.images.in_memory import is_array, is_encoded

if TYPE_CHECKING:
    import torch

ImageLike: TypeAlias = (
    "str | os.PathLike[str] | bytes | BinaryIO | Image.Image | NDArray[Any] | torch.Tensor"
)
"""A path, the content of a file (bytes or a stream), a Pillow image, an array or a tensor."""


def listed(images: Iterable[ImageLike] | ImageLike) -> Iterable[ImageLike]:
    """Several images as they are, a single one as a list."""
    single = isinstance(images, (str, os.PathLike, Image.Image))
    if single or is_array(images) or is_encoded(images):
        return [cast(ImageLike, images)]
    return cast("Iterable[ImageLike]", images)


def input_digest(pixels: NDArray[np.float32]) -> str:
    """SHA-256 of a network input (3, H, W), by which a reference is recognised."""
    return hashlib.sha256(pixels.tobytes()).hexdigest()
