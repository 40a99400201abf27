"""Training batches of generated pairs; batch number n is identical in every worker.

Shapes: B images (each defective one next to a clean one), S side in pixels, g = S / 16.
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

from mini.camera import photograph
from mini.recipe import Phase, Recipe
from moeclip_cli.datasets.synthetic import CELLS, TRAINING_DEFECTS, TRAINING_FAMILIES, generate
from moeclip_cli.model.backbones.stem import ConvStem
from moeclip_cli.model.preprocessing import Preprocessing

# A patch is anomalous if the defect covers at least this fraction; below, it is ignored.
_MIN_COVERAGE = 0.03

# Maximum weight of a defect in patches: a dark solar cell must not outweigh a whole batch.
_MAX_WEIGHT = 32

# Images are drawn at this fraction of the batch's size or more, since few photographs are as sharp
# as a drawing. Below the minimum side, in pixels, a drawing loses its details.
_MIN_SHARPNESS = 0.6
_MIN_SIDE = 160

# Minimum fraction of a defect that a crop of a defective image shows.
_MIN_SHOWN = 0.4


@dataclass(frozen=True)
class Batch:
    """Images and their targets.

    Attributes:
        images: (B, 3, S, S) uint8.
        target: (B, g * g) float32, 1 for anomalous patches.
        weight: (B, g * g) float32 in [0, 1]; 0 for patches that a defect only touches, small for
            patches of a very large defect.
        label: (B,) float32, 1 for images with a defect.
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
        """Crop the defective image and its clean counterpart, to the same window or to another."""
        families = CELLS if rng.random() < self.recipe.cells else TRAINING_FAMILIES
        drawn = max(int(size * rng.uniform(_MIN_SHARPNESS, 1)), _MIN_SIDE)
        pair = generate(self.recipe.seed, index, drawn, families, TRAINING_DEFECTS)
        side = pair.mask.shape[0]
        window = random_window(rng, side)
        while pair.mask[window].sum() < _MIN_SHOWN * pair.mask.sum():
            window = random_window(rng, side)
        crops = [_resize(pair.defective, pair.mask, window, size)]
        if rng.random() < 0.4:
            window = random_window(rng, side)
        crops.append(_resize(pair.clean, np.zeros_like(pair.mask), window, size))
        pictures = photograph([pixels for pixels, _ in crops], rng)
        return [(pixels, area) for pixels, (_, area) in zip(pictures, crops, strict=True)]


def load_batches(recipe: Recipe, phase: Phase, first: int, workers: int) -> DataLoader[Batch]:
    """Load an infinite sequence of batches of a phase, starting with number `first`."""
    # A forked worker would hang on the thread pool that OpenCV has created in this process.
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


def normalise(images: Tensor, preprocessing: Preprocessing) -> Tensor:
    """uint8 images (B, 3, S, S) as the backbone expects them."""
    mean = torch.tensor(preprocessing.mean).view(3, 1, 1)
    std = torch.tensor(preprocessing.std).view(3, 1, 1)
    return (images.float() / 255 - mean) / std


def _single_thread(_: int) -> None:
    cv2.setNumThreads(1)


def random_window(rng: np.random.Generator, side: int) -> tuple[slice, slice]:
    """Return a random window of any aspect ratio, as users' images are resized to squares too."""
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
    """Return targets and weights (B, g * g) of patches from mask coverage (B, S, S) in [0, 1]."""
    covered = torch.nn.functional.avg_pool2d(area[:, None], ConvStem.STRIDE).flatten(1)
    return covered_targets(covered)


def covered_targets(covered: Tensor) -> tuple[Tensor, Tensor]:
    """Return targets and weights (B, L) of patches from the covered fraction of each, (B, L).

    A defect that is too small to cover any patch sufficiently gets the patch that it covers most.
    The patches of a defect that covers more than `_MAX_WEIGHT` have that total weight.
    """
    most = covered.amax(1, keepdim=True)
    target = (covered >= _MIN_COVERAGE) | ((covered == most) & (most > 0.004))
    touched = (covered > 0) & ~target
    share = (_MAX_WEIGHT / target.sum(1, keepdim=True).clamp(min=_MAX_WEIGHT)).expand_as(covered)
    weight = torch.where(target, share, 1.0).masked_fill(touched, 0)
    return target.float(), weight
