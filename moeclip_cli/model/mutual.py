"""Images compared with each other: how far each patch is from what most other images show.

As in MuSc (Li et al., 2024): tokens are averaged over windows of neighbours, and the distance of a
patch is the mean over the most similar other images of its cosine distance to their nearest patch.
A normal patch has a near counterpart in many images; a defective one has none, or in few.

Shapes: N images, L patches of an image (which may differ from image to image), D width of a level.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from moeclip_cli.model.aggregation import WINDOWS, aggregate

# Elements of one block of similarities: 16 MB in float32.
_BLOCK = 2**22
SHARE = 0.3
"""Share of the other images, the most similar ones, over which distances are averaged."""


@dataclass(frozen=True)
class PatchTokens:
    """Tokens of the patches of one image at some levels of a tower.

    Attributes:
        levels: (L, D) of each level, each token normalised to mean 0 and variance 1, in half
            precision.
        grid: rows and columns of the patches; L is their product.
    """

    levels: tuple[Tensor, ...]
    grid: tuple[int, int]

    @classmethod
    def of(cls, levels: Sequence[Tensor], grid: tuple[int, int]) -> PatchTokens:
        """The tokens of an image.

        Args:
            levels: (L, D) of each level, as the tower gives them.
            grid: rows and columns of the patches.
        """
        normalised = (F.layer_norm(level.float(), level.shape[-1:]) for level in levels)
        return cls(tuple(level.half() for level in normalised), grid)

    @property
    def finite(self) -> bool:
        """True if no number is NaN or infinite."""
        return all(bool(level.isfinite().all()) for level in self.levels)

    def units(self, level: int, window: int) -> Tensor:
        """Unit vectors (L, D) of a level, averaged over windows of neighbours, in half precision.

        Args:
            level: index of the level.
            window: odd window size in patches.
        """
        tokens = self.levels[level].float()[None]
        (pooled,) = aggregate(tokens, (window,), self.grid)
        return F.normalize(pooled[0], dim=-1).half()


def mutual_distances(
    images: Sequence[PatchTokens],
    windows: tuple[int, ...] = WINDOWS,
    share: float = SHARE,
    observe: Callable[[int, int], None] = lambda done, total: None,
) -> list[Tensor]:
    """Distances of the patches of each image to the other images, (rows, columns) in [0, 1].

    For each level and window: the cosine distance of a patch to the nearest patch of every other
    image, averaged over the lowest `share` of these images, but at least one. The result is the
    mean over levels and windows. Takes N * L * (N - 1) numbers of memory beside the tokens.

    Args:
        images: at least two, with the same levels, on one device.
        windows: odd window sizes in patches.
        share: share of the other images, in (0, 1].
        observe: called with the numbers of finished and of all comparisons of two images.

    Raises:
        ValueError: if there are fewer than two images.
    """
    if len(images) < 2:
        raise ValueError("an image needs another one to be compared with")
    levels = range(len(images[0].levels))
    maps = [(level, window) for level in levels for window in windows]
    count = max(1, round(share * (len(images) - 1)))
    found = [torch.zeros_like(image.levels[0][:, 0], dtype=torch.float32) for image in images]
    pairs = comparisons(len(images))
    for number, (level, window) in enumerate(maps):
        units = [image.units(level, window) for image in images]

        def advance(done: int, before: int = number * pairs) -> None:
            observe(before + done, pairs * len(maps))

        for total, similar in zip(found, _similarities(units, advance), strict=True):
            total += 1 - similar.topk(count, dim=1).values.mean(dim=1)
    return [
        (total / len(maps)).clamp(0, 1).unflatten(0, image.grid)
        for total, image in zip(found, images, strict=True)
    ]


def comparisons(images: int) -> int:
    """Number of comparisons of two images in a set, at each level and window."""
    return images * (images - 1) // 2


def _similarities(units: Sequence[Tensor], advance: Callable[[int], None]) -> list[Tensor]:
    """For each patch of each image, similarity of the nearest patch of every other, (L, N - 1).

    One product of two images serves both: its rows are the patches of one, its columns those of the
    other.
    """
    others = len(units) - 1
    found = [torch.empty(len(each), others, device=each.device) for each in units]
    done = 0
    for one in range(others):
        first = units[one].float()
        for group in _groups(units, one + 1, max(1, _BLOCK // len(first))):
            rows, columns = nearest(first, [units[other] for other in group])
            found[one][:, group.start - 1 : group.stop - 1] = rows
            for other, column in zip(group, columns, strict=True):
                found[other][:, one] = column
        done += others - one
        advance(done)
    return found


def _groups(units: Sequence[Tensor], start: int, patches: int) -> Iterator[range]:
    """Ranges of images from `start` on with at most so many patches, but at least one image."""
    count = 0
    for number in range(start, len(units)):
        if number > start and count + len(units[number]) > patches:
            yield range(start, number)
            start, count = number, 0
        count += len(units[number])
    yield range(start, len(units))


def nearest(one: Tensor, others: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """Similarity of each patch to the nearest one of another image, in both directions.

    Args:
        one: unit vectors (L, D) of an image, float32.
        others: unit vectors (L', D) of some other images.

    Returns:
        For the patches of the image (L, others), and for those of each other image (L',).
    """
    lengths = [len(other) for other in others]
    joined = torch.cat(list(others)).float()
    rows = []
    columns = one.new_full((len(joined),), -1.0)
    for block in one.split(max(1, _BLOCK // len(joined))):
        similarity = block @ joined.T
        parts = similarity.split(lengths, dim=1)
        rows.append(torch.stack([part.amax(dim=1) for part in parts], dim=1))
        columns = torch.maximum(columns, similarity.amax(dim=0))
    return torch.cat(rows), list(columns.split(lengths))
