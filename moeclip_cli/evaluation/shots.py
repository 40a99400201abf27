"""Few-shot evaluation: a few good images of the training split, drawn several times."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from moeclip_cli.errors import UsageError

SEED = 0
"""Seed of the draws; with another one, they would be others."""


@dataclass(frozen=True)
class FewShot:
    """Numbers of references, and how often they are drawn.

    Attributes:
        shots: numbers of references, ascending.
        draws: number of draws.
        rotations: number of angles at which each reference is compared.
    """

    shots: tuple[int, ...]
    draws: int
    rotations: int = 1

    def __post_init__(self) -> None:
        if not self.shots or list(self.shots) != sorted(set(self.shots)) or self.shots[0] < 1:
            raise UsageError(
                "`shots` takes ascending numbers of references from 1, such as 1,2,4,8, not "
                f"'{','.join(map(str, self.shots))}'."
            )


@dataclass(frozen=True)
class Draws:
    """The references of one category.

    Attributes:
        shots: numbers of references, ascending.
        orders: for each draw, as many images as the largest number of references. The first k are
            the references of k shots.
    """

    shots: tuple[int, ...]
    orders: tuple[tuple[Path, ...], ...]

    def references(self, shots: int) -> list[tuple[Path, ...]]:
        """For each draw, the references of a number of shots."""
        return [order[:shots] for order in self.orders]


def draw(images: Sequence[Path], category: str, few_shot: FewShot) -> Draws:
    """Draw the references of a category.

    A draw puts the images into the order of a digest of seed, number of the draw, category and file
    name. It is therefore the same on every machine and, up to further images, in every copy.

    Args:
        images: good images of the training split, at least as many as the fewest shots.
        category: name of the category.
        few_shot: numbers of references and of draws.
    """
    shots = tuple(number for number in few_shot.shots if number <= len(images))
    orders = [
        sorted(images, key=lambda image: _rank(number, category, image))
        for number in range(few_shot.draws)
    ]
    return Draws(shots, tuple(tuple(order[: shots[-1]]) for order in orders))


def _rank(number: int, category: str, image: Path) -> tuple[bytes, Path]:
    text = f"{SEED}/{number}/{category}/{image.name}"
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest(), image
