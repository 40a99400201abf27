"""Changes from one run to another: verdicts that flipped and scores that moved."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from moeclip_cli.inspection.result import Row

UNREADABLE = "unreadable"

# Settings whose values, digests and files, say nothing to a reader.
_UNNAMED = {
    "model_digest": "the weights",
    "references": "the references",
    "prompt_rules": "the prompts by rule",
    "region": "the regions that are inspected",
}


@dataclass(frozen=True)
class Outcome:
    """What a run found on an image.

    Attributes:
        path: the image as the user named it.
        score: in [0, 1]; None if it could not be read.
        verdict: "anomalous", "unsure", "normal" or "unreadable".
    """

    path: str
    score: float | None
    verdict: str

    @classmethod
    def of(cls, row: Row) -> Outcome:
        """The outcome of a row."""
        return cls(row.path, row.score, row.verdict or UNREADABLE)


@dataclass(frozen=True)
class Pair:
    """An image in both runs.

    Attributes:
        a, b: what each run found.
    """

    a: Outcome
    b: Outcome

    @property
    def flipped(self) -> bool:
        """Whether the verdict changed; an image that only one run could read counts."""
        return self.a.verdict != self.b.verdict

    @property
    def moved(self) -> float:
        """How far the score moved, B - A; 0 if a run could not read the image."""
        if self.a.score is None or self.b.score is None:
            return 0.0
        return self.b.score - self.a.score


@dataclass
class FolderCounts:
    """Counts of the images of one folder, or of all.

    Attributes:
        both: images in both runs.
        flipped: of these, verdicts that changed.
        moved: of these, scores that moved by more than the tolerance.
        furthest: the largest move of a score, without its sign.
        only_a, only_b: images in one run only.
    """

    both: int = 0
    flipped: int = 0
    moved: int = 0
    furthest: float = 0.0
    only_a: int = 0
    only_b: int = 0


@dataclass
class Changes:
    """What two runs found on the same images.

    Attributes:
        flips: verdicts that changed, the largest move of the score first.
        moves: scores that moved by more than the tolerance and kept their verdict, likewise.
        only_a, only_b: what one run found on images that the other one does not have.
        folders: counts by the folder of the image, in the order of their names.
        total: counts of all images.
        settings: settings that differ, as (A, B) by name.
    """

    flips: list[Pair] = field(default_factory=list)
    moves: list[Pair] = field(default_factory=list)
    only_a: list[Outcome] = field(default_factory=list)
    only_b: list[Outcome] = field(default_factory=list)
    folders: dict[str, FolderCounts] = field(default_factory=dict)
    total: FolderCounts = field(default_factory=FolderCounts)
    settings: dict[str, tuple[Any, Any]] = field(default_factory=dict)

    @property
    def kinds(self) -> Counter[tuple[str, str]]:
        """Number of flips by verdict in A and in B."""
        return Counter((pair.a.verdict, pair.b.verdict) for pair in self.flips)

    @property
    def differences(self) -> list[str]:
        """The settings that differ, in words."""
        return [_difference(name, *pair) for name, pair in self.settings.items()]


def _difference(name: str, a: Any, b: Any) -> str:
    if name in _UNNAMED:
        return f"{_UNNAMED[name]} differ"
    return f"{name.replace('_', ' ')} {_shown(a)} in A, {_shown(b)} in B"


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
