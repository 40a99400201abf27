"""The network input of an image, whose size depends on the network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.images.resized import normalised
from moeclip_cli.model.preprocessing import Preprocessing

if TYPE_CHECKING:
    import torch

    from moeclip_cli.model.frozen_tower import FrozenTower
    from moeclip_cli.model.moeclip import MoECLIP

LeveledNetwork: TypeAlias = "MoECLIP | FrozenTower"
"""A network whose `levels` gives patch tokens."""


class Sized(Protocol):
    """Whatever images are resized and normalised for: a network, or a graph made of one."""

    @property
    def preprocessing(self) -> Preprocessing:
        """Resizing and normalisation of images."""

    def input_size(self, height: int, width: int, side: int) -> tuple[int, int]:
        """Height and width of the input for an image; `side` is that for a square one."""


def network_input(
    pixels: NDArray[np.uint8], network: LeveledNetwork, side: int | None = None
) -> torch.Tensor:
    """An image, resized and normalised for a network.

    Args:
        pixels: (h, w, 3) uint8 RGB.
        network: a MoECLIP takes a square, a frozen tower the aspect ratio of the image.
        side: side in pixels of the network input of a square image; the network's own by default.

    Returns:
        (3, H, W) float32.
    """
    import torch

    (found,) = network_inputs(pixels, network, (side or network.config.image_size,))
    return torch.from_numpy(found)


def network_inputs(
    pixels: NDArray[np.uint8], network: Sized, sides: Sequence[int]
) -> tuple[NDArray[np.float32], ...]:
    """An image as `network_input` gives it, at several sizes and as arrays.

    Args:
        pixels: (h, w, 3) uint8 RGB.
        network: see `network_input`.
        sides: sides in pixels of the network inputs of a square image.
    """
    height, width = pixels.shape[:2]
    sizes = (network.input_size(height, width, side) for side in sides)
    return tuple(normalised(pixels, *size, network.preprocessing) for size in sizes)
