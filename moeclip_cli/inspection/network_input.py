"""The network input of an image, whose size depends on the network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.images.resized import normalise, resize
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


def patches_per_side(network: LeveledNetwork) -> int:
    """Number of patches along a side of the network input of a square image."""
    return network.config.image_size // network.backbone.architecture.patch_size


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
    resized = resized_inputs(pixels, network, sides)
    return tuple(normalise(each, network.preprocessing) for each in resized)


def resized_inputs(
    pixels: NDArray[np.uint8], network: Sized, sides: Sequence[int]
) -> tuple[NDArray[np.uint8], ...]:
    """An image at several sizes, for `network_batch`, which gives what `network_input` does.

    Args:
        pixels: (h, w, 3) uint8 RGB.
        network: see `network_input`.
        sides: sides in pixels of the network inputs of a square image.

    Returns:
        (H, W, 3) each.
    """
    height, width = pixels.shape[:2]
    sizes = (network.input_size(height, width, side) for side in sides)
    interpolation = network.preprocessing.interpolation
    return tuple(resize(pixels, *size, interpolation) for size in sizes)


def network_batch(
    images: Sequence[NDArray[np.uint8]], preprocessing: Preprocessing, device: torch.device
) -> torch.Tensor:
    """Resized images of one shape (H, W, 3) as a network input (B, 3, H, W) float32 on a device.

    They are copied as bytes, from memory that a GPU can read by itself, and normalised there.
    """
    import torch

    on_gpu = device.type == "cuda"
    batch = torch.empty(len(images), *images[0].shape, dtype=torch.uint8, pin_memory=on_gpu)
    np.stack(images, out=batch.numpy())
    copied = batch.to(device, non_blocking=True).permute(0, 3, 1, 2)
    pixels = copied.to(torch.float32, memory_format=torch.contiguous_format)
    mean, std = (
        torch.tensor(values).to(device, non_blocking=True).view(3, 1, 1)
        for values in (preprocessing.mean, preprocessing.std)
    )
    return pixels.div_(255).sub_(mean).div_(std)
