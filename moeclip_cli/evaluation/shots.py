"""Few-shot evaluation: a few good images of the training split, drawn several times."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from moeclip_cli.errors import UsageError
from moeclip_cli.evaluation.plan import Part

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


def with_draws(parts: Sequence[Part], few_shot: FewShot) -> tuple[list[Part], list[str]]:
    """The parts that have good training images, each with its draws, and sentences on the others.

    Args:
        parts: of one dataset.
        few_shot: numbers of references and of draws.

    Returns:
        The parts to evaluate, and a sentence for each part that is skipped, or evaluated with some
        of the numbers of references only.
    """
    if not any(part.training for part in parts):
        title = parts[0].dataset.title
        return [], [f"{title} is skipped: it has no good training images to take references from."]
    drawn = [
        replace(part, draws=draw(part, few_shot))
        for part in parts
        if len(part.training) >= few_shot.shots[0]
    ]
    return drawn, list(_remarks(parts, few_shot))


def draw(part: Part, few_shot: FewShot) -> Draws:
    """Draw the references of a category.

    A draw puts the training images into the order of a digest of seed, number of the draw, category
    and file name. It is therefore the same on every machine, whatever other images there are.
    """
    shots = tuple(number for number in few_shot.shots if number <= len(part.training))
    orders = [
        sorted(part.training, key=lambda image: _rank(number, part.category, image))
        for number in range(few_shot.draws)
    ]
    return Draws(shots, tuple(tuple(order[: shots[-1]]) for order in orders))


def _rank(number: int, category: str, image: Path) -> tuple[bytes, Path]:
    text = f"{SEED}/{number}/{category}/{image.name}"
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest(), image


def _remarks(parts: Sequence[Part], few_shot: FewShot) -> Iterator[str]:
    for part in parts:
        found = len(part.training)
        missing = [number for number in few_shot.shots if number > found]
        name = f"{part.dataset.title}, {part.category}"
        images = "image" if found == 1 else "images"
        if missing == list(few_shot.shots):
            yield (
                f"{name} is skipped: it has {found or 'no'} good training {images} to take "
                "references from."
            )
        elif missing:
            yield (
                f"{name} is left out at {' and '.join(map(str, missing))} shots: it has only "
                f"{found} good training {images}."
            )
