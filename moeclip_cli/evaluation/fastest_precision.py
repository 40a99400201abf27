"""The fastest floating-point type whose scores stay those of float32, measured on this device.

The pictures are those of the self-check. Nothing is kept: another device, driver or version of
torch may change both the speed and the scores.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from time import perf_counter
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from moeclip_cli.choices import Precision
from moeclip_cli.datasets.synthetic import HELD_OUT_FAMILIES, TRAINING_DEFECTS, generate
from moeclip_cli.errors import ModelError
from moeclip_cli.evaluation.self_check import PAIRS, SEED
from moeclip_cli.inspection.inspector import Inspector
from moeclip_cli.inspection.prepared import batches
from moeclip_cli.inspection.references import GoodParts

BOUND = 0.005
"""Largest difference from a score in float32 that a faster type may have."""

# Timings differ by a few percent for no reason; below this gain, float32 stays.
_LEAST_GAIN = 1.1
_SECONDS = 2.0  # of scoring in each type, once a batch is done
_SIDE = 448
_REFERENCES = 4
_OTHERS: dict[str, tuple[Precision, ...]] = {
    "cpu": ("bf16",),  # few processors multiply in fp16
    "cuda": ("bf16", "fp16"),
    "mps": ("fp16",),
}


class Load(Protocol):
    """Loads the model in a precision, with references if it compares images with such."""

    def __call__(self, precision: Precision, references: GoodParts | None) -> Inspector:
        """Load the model."""


@dataclass(frozen=True)
class Trial:
    """A type that was tried beside float32.

    Attributes:
        precision: the type.
        speed: how many times as fast as float32 it is; 0 if the model cannot be used in it.
        difference: the largest difference from a score in float32.
    """

    precision: Precision
    speed: float = 0.0
    difference: float = float("inf")

    @property
    def fits(self) -> bool:
        """True if it is faster than float32 and its scores stay within the bound."""
        return self.speed >= _LEAST_GAIN and self.difference <= BOUND

    def __str__(self) -> str:
        """The trial in words."""
        if not self.speed:
            return f"{self.precision} gives no finite numbers"
        if self.speed < _LEAST_GAIN:
            return f"{self.precision} is {self.speed:.2f} times as fast"
        return (
            f"{self.precision} is {self.speed:.2f} times as fast, scores differ by at most "
            f"{self.difference:.4f}"
        )


@dataclass(frozen=True)
class FastestPrecision:
    """The type to use, and why.

    Attributes:
        images: number of pictures that were scored in float32, and in each faster type.
        trials: the types that were tried beside float32.
    """

    images: int
    trials: tuple[Trial, ...]

    @property
    def precision(self) -> Precision:
        """The fastest type that fits; float32 if none does."""
        fitting = [trial for trial in self.trials if trial.fits]
        if not fitting:
            return "fp32"
        return max(fitting, key=lambda trial: trial.speed).precision

    def __str__(self) -> str:
        """The choice in one sentence."""
        found = "; ".join(map(str, self.trials))
        return (
            f"Precision {self.precision}, by {self.images} generated pictures: beside fp32, "
            f"{found} (allowed: {BOUND})."
        )

    def to_dict(self) -> dict[str, Any]:
        """All fields and the bound in JSON types, for the run card."""
        trials = [
            {
                "precision": trial.precision,
                "speed": round(trial.speed, 2),
                "difference": None if not trial.speed else round(trial.difference, 6),
            }
            for trial in self.trials
        ]
        return {"chosen": self.precision, "images": self.images, "bound": BOUND, "trials": trials}


def fastest_precision(load: Load, *, compares: bool) -> FastestPrecision:
    """Score pictures in each type that the device may be faster in than in float32.

    Args:
        load: loads the model; called once for each type.
        compares: whether images are compared with references, here with generated good parts. The
            references are those of float32 in each type, as with a profile.

    Raises:
        ModelError, UsageError: from `load` in float32.
    """
    parts = [_pictures(pair)[0] for pair in range(_REFERENCES)] if compares else None
    inspector = load("fp32", parts)
    device, references = inspector.device, inspector.references if compares else None
    expected, seconds = _measure(inspector, 2 * (PAIRS - _REFERENCES))
    del inspector  # two models at a time may not fit into the memory of a GPU
    trials = []
    for precision in _OTHERS[device.type]:
        if device.type == "cuda":
            torch.cuda.empty_cache()
        trials.append(_try(precision, load, references, expected, seconds))
    return FastestPrecision(len(expected), tuple(trials))


def _try(
    precision: Precision,
    load: Load,
    references: GoodParts | None,
    expected: list[float],
    seconds: float,
) -> Trial:
    """Score in a type what was scored in float32, at `seconds` a picture."""
    try:
        scores, own = _measure(load(precision, references), len(expected), rival=seconds)
    except ModelError:  # numbers that are not finite
        return Trial(precision)
    # One that is slower need not score all pictures.
    difference = max(abs(one - other) for one, other in zip(expected, scores, strict=False))
    return Trial(precision, seconds / own, difference)


def _measure(inspector: Inspector, most: int, rival: float = 0.0) -> tuple[list[float], float]:
    """Scores of the first pictures, and the seconds per picture of the fastest batch.

    Args:
        inspector: the model.
        most: number of pictures; fewer are scored if they take long.
        rival: all are scored, however long they take, if a picture takes less time than this.

    Raises:
        ModelError: if a score is not finite.
    """
    scores: list[float] = []
    fastest, spent = float("inf"), 0.0
    size = inspector.default_batch_size
    for batch in batches(_scored(most), size):
        started = perf_counter()
        results = list(inspector.score(batch, batch_size=size, workers=0))
        seconds = perf_counter() - started
        for result in results:
            if result.score is None:
                raise ModelError(result.error or "A picture has no score.")
            scores.append(result.score)
        fastest, spent = min(fastest, seconds / len(batch)), spent + seconds
        if spent > _SECONDS and fastest >= rival:
            break
    return scores, fastest


def _scored(most: int) -> Iterator[NDArray[np.uint8]]:
    """The first pictures without the references, clean and defective ones in turn."""
    for number in range(most):
        yield _pictures(_REFERENCES + number // 2)[number % 2]


@lru_cache(PAIRS)
def _pictures(pair: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A clean picture of the self-check, and the same with a defect."""
    found = generate(SEED, pair, _SIDE, HELD_OUT_FAMILIES, TRAINING_DEFECTS)
    return found.clean, found.defective
