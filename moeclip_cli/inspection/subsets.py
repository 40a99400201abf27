"""Random subsets of a list of images, within which the images are compared with each other."""

from __future__ import annotations

import numpy as np

LARGEST_SUBSET = 200
SEED = 0


def subsets(images: int) -> list[list[int]]:
    """Divide the numbers of a list into random subsets of at most 200, equal but for one image.

    The division depends on the length of the list alone. Within a subset, numbers ascend.

    Args:
        images: length of the list.
    """
    count = -(-images // LARGEST_SUBSET)
    if count <= 1:
        return [list(range(images))]
    order = np.random.default_rng(SEED).permutation(images)
    return [sorted(part.tolist()) for part in np.array_split(order, count)]
