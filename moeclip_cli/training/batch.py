"""Examples as tensors: normalised, augmented and stacked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from moeclip_cli.images.preprocess import preprocess
from moeclip_cli.training.augmentation import augment
from moeclip_cli.training.configuration import Augmentation
from moeclip_cli.training.examples import GENERATED_PROMPT, Example, Examples

# A stream of random numbers of its own.
_AUGMENT = 1


@dataclass(frozen=True, eq=False)
class Batch:
    """Examples in the form of the network's input.

    Attributes:
        images: (B, 3, S, S) normalised.
        masks: (B, S, S) float32, 1 where anomalous, else 0.
        labels: (B,) 1 for anomalous images.
        prompts: B names of objects.
    """

    images: Tensor
    masks: Tensor
    labels: Tensor
    prompts: tuple[str, ...]

    def to(self, device: torch.device) -> Batch:
        """The batch on another device."""
        images, masks, labels = (t.to(device) for t in (self.images, self.masks, self.labels))
        return Batch(images, masks, labels, self.prompts)


def to_batch(examples: Sequence[tuple[Tensor, Tensor, Example]]) -> Batch:
    """Stack the results of `prepare`."""
    images, masks, sources = zip(*examples, strict=True)
    labels = torch.tensor([example.label for example in sources])
    prompts = tuple(example.prompt for example in sources)
    return Batch(torch.stack(images), torch.stack(masks), labels, prompts)


def blank_batch(size: int) -> Batch:
    """One normal image of size S in the mean colour, to compute with where there is no image."""
    images, masks = torch.zeros(1, 3, size, size), torch.zeros(1, size, size)
    return Batch(images, masks, torch.tensor([0]), (GENERATED_PROMPT,))


def prepare(
    examples: Examples, index: int, epoch: int, augmentation: Augmentation, seed: int
) -> tuple[Tensor, Tensor, Example]:
    """Load, normalise and augment one example.

    Random numbers depend on seed, epoch and index alone, whichever thread calls this and when.

    Returns:
        Image (3, S, S), mask (S, S), and the example that they were made from.

    Raises:
        DatasetError: if the files of the example cannot be used.
    """
    example = examples.load(index, epoch)
    normalised = preprocess(example.pixels, example.pixels.shape[0], examples.preprocessing)
    rng = np.random.default_rng([seed, _AUGMENT, epoch, index])
    planes = np.ascontiguousarray(normalised.numpy().transpose(1, 2, 0))
    image, mask = augment(planes, example.mask, augmentation, rng)
    channels = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
    return channels, torch.from_numpy(np.ascontiguousarray(mask)).float(), example
