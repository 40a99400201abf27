"""The images of every step, for any number of processes and parts."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np

_SHUFFLE = 2


@dataclass(frozen=True)
class Order:
    """The shuffled order of every epoch, which depends on the seed and the epoch alone.

    Every epoch has every image once; its last batch is smaller where the batch size does not divide
    the number of images, as in the authors' code. Steps and epochs count from 0.

    Attributes:
        images: number of images.
        batch_size: images of one step, over all processes.
        seed: of the shuffling.
    """

    images: int
    batch_size: int
    seed: int

    @property
    def steps_per_epoch(self) -> int:
        """Batches of one epoch."""
        return -(-self.images // self.batch_size)

    def images_of(self, step: int) -> int:
        """Number of images of a step, over all processes."""
        return self.images_before(step + 1) - self.images_before(step)

    def images_before(self, step: int) -> int:
        """Number of images of all steps before `step`."""
        epochs, steps = divmod(step, self.steps_per_epoch)
        return epochs * self.images + min(steps * self.batch_size, self.images)

    def step_indices(self, epoch: int, process: int = 0, processes: int = 1) -> list[list[int]]:
        """The images of a process in every step of an epoch; none if a batch is that small."""
        rng = np.random.default_rng([self.seed, _SHUFFLE, epoch])
        shuffled: list[int] = rng.permutation(self.images).tolist()
        steps = [
            shuffled[first : first + self.batch_size]
            for first in range(0, self.images, self.batch_size)
        ]
        return [step[slices(len(step), processes)[process]] for step in steps]


@dataclass(frozen=True)
class Part:
    """The images that a process computes with at once, one of the accumulated parts of a step.

    The gradient of a step is the mean over processes and parts, which differ in size in the last
    batch of an epoch. The weights turn it into the mean over images; they are 1 for equal parts.

    Attributes:
        images: the slice of the process's images of the step; it may be empty.
        weight: images of this part in this process, relative to the mean over all.
        weight_of_all: images of this part in all processes, relative to the mean over all parts.
    """

    images: slice
    weight: float
    weight_of_all: float


def parts_of(images: int, parts: int, process: int = 0, processes: int = 1) -> list[Part]:
    """Divide the images of a step among accumulated parts.

    Args:
        images: of all processes.
        parts: number of parts.
        process: the process whose parts are returned.
        processes: number of processes.
    """
    shares = [slices(_length(share), parts) for share in slices(images, processes)]
    made = []
    for number in range(parts):
        mine = shares[process][number]
        all_of_part = sum(_length(share[number]) for share in shares)
        weight = _length(mine) * processes * parts / images
        made.append(Part(mine, weight, all_of_part * parts / images))
    return made


def slices(count: int, parts: int) -> list[slice]:
    """Cut `count` things into slices of equal length; the first `count % parts` have one more."""
    base, longer = divmod(count, parts)
    ends = accumulate((base + (number < longer) for number in range(parts)), initial=0)
    return [slice(start, end) for start, end in pairwise(ends)]


def _length(part: slice) -> int:
    length: int = part.stop - part.start
    return length
