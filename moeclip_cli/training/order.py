"""The images of every step, for any number of processes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_SHUFFLE = 2


@dataclass(frozen=True)
class Order:
    """The shuffled order of every epoch, which depends on the seed and the epoch alone.

    Images beyond the last full batch of an epoch are left out; they differ from epoch to epoch.

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
        """Full batches of one epoch."""
        return self.images // self.batch_size

    def step_indices(self, epoch: int, process: int = 0, processes: int = 1) -> list[list[int]]:
        """The images of a process in every step of an epoch, both counted from 0."""
        rng = np.random.default_rng([self.seed, _SHUFFLE, epoch])
        used = self.steps_per_epoch * self.batch_size
        steps = rng.permutation(self.images)[:used].reshape(
            -1, processes, self.batch_size // processes
        )
        return [[int(index) for index in step] for step in steps[:, process]]
