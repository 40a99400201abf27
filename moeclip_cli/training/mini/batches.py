"""Batches of generated pairs for the training; batch number n is the same in any worker.

Shapes: B images (each defective one beside a clean one), S side in pixels, g = S / 16.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from moeclip_cli.datasets.synthetic import CELLS, TRAINING_DEFECTS, TRAINING_FAMILIES, generate
from moeclip_cli.images.preprocess import MEAN, STD
from moeclip_cli.model.stem import ConvStem
from moeclip_cli.training.mini.camera import photograph
from moeclip_cli.training.mini.recipe import Phase, Recipe

_MEAN = torch.tensor(MEAN).view(3, 1, 1)
_STD = torch.tensor(STD).view(3, 1, 1)

# A patch is anomalous from this covered share on; below, it counts neither way.
_COVERED = 0.03

# What a defect weighs at most, in patches: a dark solar cell must not outweigh a whole batch.
_HEAVIEST = 32

# Pictures are drawn at this share of the batch's size or more, since few photographs are as sharp
# as a drawing; below this many pixels a drawing loses its details.
_SHARPNESS = 0.6
_SMALLEST = 160

# A crop of a defective picture shows at least this share of the defect.
_SHOWN = 0.4


@dataclass(frozen=True)
class Batch:
    """Images and what should be found in them.

    Attributes:
        images: (B, 3, S, S) uint8.
        target: (B, g * g) float32, 1 for anomalous patches.
        weight: (B, g * g) float32 up to 1; 0 for patches that a defect only touches, small for
            those of a very large one.
        label: (B,) float32, 1 for images with a defect in them.
    """

    images: Tensor
    target: Tensor
    weight: Tensor
    label: Tensor


class PairBatches(Dataset[Batch]):
    """The batches of one phase of a recipe; item n holds batch n of the whole training."""

    def __init__(self, recipe: Recipe, phase: Phase) -> None:
        self.recipe = recipe
        self.phase = phase

    def __getitem__(self, number: int) -> Batch:
        rng = np.random.default_rng(np.random.SeedSequence(self.recipe.seed, spawn_key=(number, 2)))
        size = int(rng.choice(self.phase.sizes))
        crops: list[tuple[NDArray[np.uint8], NDArray[np.float32]]] = []
        for index in range(self.phase.pairs):
            crops += self._crop_pair(number * 64 + index, size, rng)
        return _to_batch(crops)

    def _crop_pair(
        self, index: int, size: int, rng: np.random.Generator
    ) -> list[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
        """A crop of the defective picture and one of its clean twin, as often the same as not."""
        families = CELLS if rng.random() < self.recipe.cells else TRAINING_FAMILIES
        drawn = max(int(size * rng.uniform(_SHARPNESS, 1)), _SMALLEST)
        pair = generate(self.recipe.seed, index, drawn, families, TRAINING_DEFECTS)
        side = pair.mask.shape[0]
        window = _window(rng, side)
        while pair.mask[window].sum() < _SHOWN * pair.mask.sum():
            window = _window(rng, side)
        crops = [_resize(pair.defective, pair.mask, window, size)]
        if rng.random() < 0.4:
            window = _window(rng, side)
        crops.append(_resize(pair.clean, np.zeros_like(pair.mask), window, size))
        pictures = photograph([pixels for pixels, _ in crops], rng)
        return [(pixels, area) for pixels, (_, area) in zip(pictures, crops, strict=True)]


def load_batches(recipe: Recipe, phase: Phase, first: int, workers: int) -> DataLoader[Batch]:
    """Batches of a phase without end, from number `first` on, made ahead by worker processes."""
    # A forked worker hangs where it finds the thread pool that OpenCV has made in this process.
    cv2.setNumThreads(1)
    return DataLoader(
        PairBatches(recipe, phase),
        batch_size=None,
        sampler=_CountFrom(first),
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        worker_init_fn=_single_thread if workers else None,
    )


class _CountFrom(Sampler[int]):
    def __init__(self, first: int) -> None:
        self.first = first

    def __iter__(self) -> Iterator[int]:
        return itertools.count(self.first)


def normalise(images: Tensor) -> Tensor:
    """uint8 images (B, 3, S, S) as CLIP expects them."""
    return (images.float() / 255 - _MEAN) / _STD


def _single_thread(_: int) -> None:
    cv2.setNumThreads(1)


def _window(rng: np.random.Generator, side: int) -> tuple[slice, slice]:
    """A random part of the picture, of any aspect: users' images are squeezed into squares too."""
    if rng.random() < 0.3:
        return slice(0, side), slice(0, side)
    spans = []
    scale = rng.uniform(0.6, 1.0)
    for _ in range(2):
        length = int(side * np.clip(scale * rng.uniform(0.8, 1.2), 0.5, 1.0))
        start = int(rng.integers(side - length + 1))
        spans.append(slice(start, start + length))
    return spans[0], spans[1]


def _resize(
    pixels: NDArray[np.uint8], mask: NDArray[np.bool_], window: tuple[slice, slice], size: int
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    part = np.ascontiguousarray(pixels[window])
    area = np.ascontiguousarray(mask[window]).astype(np.float32)
    smooth = cv2.INTER_AREA if min(part.shape[:2]) > size else cv2.INTER_CUBIC
    return (
        cv2.resize(part, (size, size), interpolation=smooth),
        cv2.resize(area, (size, size), interpolation=cv2.INTER_LINEAR),
    )


def _to_batch(crops: list[tuple[NDArray[np.uint8], NDArray[np.float32]]]) -> Batch:
    images = np.stack([pixels for pixels, _ in crops]).transpose(0, 3, 1, 2)
    area = torch.from_numpy(np.stack([mask for _, mask in crops]))
    target, weight = patch_targets(area)
    label = target.amax(1)
    return Batch(torch.from_numpy(np.ascontiguousarray(images)), target, weight, label)


def patch_targets(area: Tensor) -> tuple[Tensor, Tensor]:
    """Targets and weights (B, g * g) of patches from mask coverage (B, S, S) in [0, 1].

    A defect too small to cover any patch enough is given the patch that it covers most; one that
    covers more than `_HEAVIEST` weighs no more than so many.
    """
    step = ConvStem.STRIDE
    covered = torch.nn.functional.avg_pool2d(area[:, None], step).flatten(1)
    most = covered.amax(1, keepdim=True)
    target = (covered >= _COVERED) | ((covered == most) & (most > 0.004))
    touched = (covered > 0) & ~target
    share = (_HEAVIEST / target.sum(1, keepdim=True).clamp(min=_HEAVIEST)).expand_as(covered)
    weight = torch.where(target, share, 1.0).masked_fill(touched, 0)
    return target.float(), weight
