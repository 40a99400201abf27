"""A bank of reference patches: how far each patch of an image is from anything seen on good parts.

Patches are compared as in AnomalyDINO (Damm et al., 2025): unit vectors, cosine distance to the
nearest patch of any reference. Distances of several levels of the tower are averaged.

Shapes: B images, L patches of an image, N patches in the bank, D width of a level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from moeclip_cli.errors import ModelError

# Elements of one block of similarities: 64 MB in float32.
_BLOCK = 2**24
SHARE = 0.01
"""Share of an image's patches, the most distant ones, whose mean distance is its score."""
COMPARED_PATCHES = 256
"""Patches of a reference that images are compared with at each level if it may take some memory.

A quarter of those at 448 pixels: 8 references then add little to the time of an image, and the
accuracy is that of all patches (benchmarks/README.md)."""
KEPT_PATCHES = 64
"""Patches of an image that a bank keeps at each level if it is to be small."""


@dataclass(frozen=True)
class PatchBank:
    """Patches of good parts at some levels of a tower.

    Attributes:
        levels: unit vectors (N, D) of each level, in half precision: a cosine is off by 5e-4 at
            most, and the bank takes half the memory.
        owners: (N,) int64, number of the reference that each patch belongs to.
    """

    levels: tuple[Tensor, ...]
    owners: Tensor

    @classmethod
    def of(cls, references: Sequence[Sequence[Tensor]]) -> PatchBank:
        """The bank of some references.

        Args:
            references: for each reference, its patches (n, D) at each level.
        """
        levels = tuple(
            torch.cat([units(patches) for patches in level])
            for level in zip(*references, strict=True)
        )
        counts = torch.tensor([len(levels[0]) for levels in references])
        owners = torch.arange(len(references)).repeat_interleave(counts)
        return cls(levels, owners.to(levels[0].device))

    def joined(self, other: PatchBank) -> PatchBank:
        """The patches of both banks; references of the other are numbered after those of this."""
        levels = zip(self.levels, other.levels, strict=True)
        owners = other.owners + len(self.counts())
        return PatchBank(
            tuple(torch.cat(level) for level in levels), torch.cat([self.owners, owners])
        )

    def selected(self, references: Sequence[int]) -> PatchBank:
        """The patches of some references, by ascending number, which are numbered anew."""
        chosen = torch.tensor(references, device=self.owners.device)
        kept = torch.isin(self.owners, chosen)
        return PatchBank(
            tuple(level[kept] for level in self.levels),
            torch.searchsorted(chosen, self.owners[kept]),
        )

    def counts(self) -> list[int]:
        """Number of patches of each reference."""
        counts: list[int] = torch.bincount(self.owners).tolist()
        return counts

    def to(self, device: torch.device) -> PatchBank:
        """The bank on a device."""
        return PatchBank(tuple(level.to(device) for level in self.levels), self.owners.to(device))

    def distances(self, tokens: Sequence[Tensor], without: Tensor | None = None) -> Tensor:
        """Mean cosine distance over the levels to the nearest patch of the bank, (B, L) in [0, 1].

        Args:
            tokens: (B, L, D) of each level.
            without: (B,) number of the reference that each image must not be compared with, since
                it shows the same picture; -1 for none. None for no such images.

        Raises:
            ModelError: if the patches are those of another network.
        """
        self._check_widths(tokens)
        levels = zip(self.levels, tokens, strict=True)
        return _mean_distance(
            [self._level(bank, self.owners, patches, without) for bank, patches in levels]
        )

    def subset_distances(
        self,
        tokens: Sequence[Tensor],
        subsets: Sequence[Sequence[int]],
        without: Tensor | None = None,
    ) -> Tensor:
        """Distances to the nearest patch of some references only, (B, S, L) in [0, 1].

        Each image is compared with each reference once, however many subsets contain it.

        Args:
            tokens: (B, L, D) of each level.
            subsets: numbers of the references in each of S subsets.
            without: as for `distances`.

        Raises:
            ModelError: if the patches are those of another network.
        """
        self._check_widths(tokens)
        counts = self.counts()
        owners = self.owners.split(counts)
        levels = [
            # (R, B, L) for R references
            torch.stack(
                [
                    self._level(bank, owner, patches, without)
                    for bank, owner in zip(level.split(counts), owners, strict=True)
                ]
            )
            for level, patches in zip(self.levels, tokens, strict=True)
        ]
        found = [
            _mean_distance([level[list(subset)].amax(dim=0) for level in levels])
            for subset in subsets
        ]
        return torch.stack(found, dim=1)

    def _check_widths(self, tokens: Sequence[Tensor]) -> None:
        widths = [level.shape[-1] for level in self.levels]
        if widths != [level.shape[-1] for level in tokens]:
            raise ModelError(
                "The references do not fit the model: the number or width of their levels differs. "
                "Build them again with this model."
            )

    @staticmethod
    def _level(bank: Tensor, owners: Tensor, patches: Tensor, without: Tensor | None) -> Tensor:
        """Cosine of each patch (B, L, D) and the nearest of `bank` (N, D), (B, L)."""
        b, length, _ = patches.shape
        # Rounded like the bank, so that two patches have the same distance in either role.
        seen = units(patches).float().flatten(0, 1)
        excluded = None
        if without is not None and (without >= 0).any():  # masking takes a fifth of the time
            excluded = without.repeat_interleave(length)
        nearest = seen.new_full((b * length,), -1.0)
        rows = max(1, _BLOCK // len(seen))
        for block, block_owners in zip(bank.split(rows), owners.split(rows), strict=True):
            similarity = seen @ block.float().T
            if excluded is not None:
                similarity.masked_fill_(excluded[:, None] == block_owners, -1.0)
            nearest = torch.maximum(nearest, similarity.amax(dim=1))
        return nearest.view(b, length)


def _mean_distance(similarities: Sequence[Tensor]) -> Tensor:
    """Mean over the levels of the cosine distances (B, L), without rounding below 0."""
    return (1 - torch.stack(list(similarities))).mean(dim=0).clamp(0, 1)


def units(patches: Tensor) -> Tensor:
    """Patches (..., D) as unit vectors in half precision, as a bank holds them."""
    return F.normalize(patches.float(), dim=-1).half()


def thinned(patches: Tensor, count: int = KEPT_PATCHES) -> Tensor:
    """The patches of one image that represent all of them best: a greedy k-center selection.

    The first is the patch nearest to the mean; each further one is the most distant from those
    before it (Gonzalez, 1985). Every patch is therefore near a selected one. Of equally distant
    patches, the first is taken.

    Args:
        patches: (n, D), of any length.
        count: number of patches to select.

    Returns:
        The `count` patches in the order of selection; all in their own order if there are no more.
    """
    if len(patches) <= count:
        return patches
    vectors = F.normalize(patches.float(), dim=-1)
    chosen = [int((vectors @ vectors.mean(dim=0)).argmax())]
    nearest = vectors @ vectors[chosen[0]]
    while len(chosen) < count:
        chosen.append(int(nearest.argmin()))
        nearest = torch.maximum(nearest, vectors @ vectors[chosen[-1]])
    return patches[chosen]


def image_score(distances: Tensor, share: float = SHARE) -> Tensor:
    """Mean of the largest distances of each image, (B, L) to (B,)."""
    count = max(1, round(distances.shape[1] * share))
    return distances.topk(count, dim=1).values.mean(dim=1)
