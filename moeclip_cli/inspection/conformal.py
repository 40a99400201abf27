"""A threshold from the scores of good images, at a given rate of false alarms.

`moeclip calibrate`, `moeclip train` and the training of the built-in model use the same rule.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from moeclip_cli.errors import UsageError

# Thresholds are multiples of 1 / 10,000: much coarser than the effect of batch size or device.
_STEPS = 10_000


def conformal_threshold(scores: Sequence[float], false_alarms: float) -> float:
    """The lowest threshold that a new good image reaches with probability `false_alarms` at most.

    This is split conformal prediction (Vovk, Gammerman and Shafer, 2005). The bound holds for any
    distribution of scores, provided that the new image is exchangeable with the given ones. The
    probability includes the random choice of the given images; the more there are, the closer the
    rate of one threshold is to it.

    Args:
        scores: of the good images, each in [0, 1], in any order.
        false_alarms: rate in (0, 1).

    Returns:
        A number with four decimals, just above one of the scores.

    Raises:
        UsageError: if the rate is out of range, or there are too few images for it.
    """
    require_enough(len(scores), false_alarms)
    rank = _ceil((len(scores) + 1) * (1 - false_alarms))
    score = sorted(scores)[rank - 1]
    return min(1.0, (math.floor(score * _STEPS) + 1) / _STEPS)


def require_enough(images: int, false_alarms: float) -> None:
    """Refuse arguments that `conformal_threshold` would refuse, before any image is scored.

    Args:
        images: number of good images.
        false_alarms: rate in (0, 1).

    Raises:
        UsageError: if the rate is out of range, or there are too few images for it.
    """
    require_rate(false_alarms)
    needed = images_needed(false_alarms)
    if images < needed:
        few = "1 good image is" if images == 1 else f"{images} good images are"
        raise UsageError(
            f"{few} too few for {_percent(false_alarms)} false alarms: that takes {needed}. "
            "Add images, or raise `false_alarms`."
        )


def require_rate(false_alarms: float) -> None:
    """Refuse a rate outside (0, 1).

    Raises:
        UsageError: if the rate is out of range.
    """
    if not 0 < false_alarms < 1:
        raise UsageError(
            f"The rate of false alarms must be between 0 and 1, not {false_alarms:g}; set "
            "`false_alarms` to 0.05 for 5%."
        )


def images_needed(false_alarms: float) -> int:
    """The smallest number of good images that give a threshold at a rate in (0, 1)."""
    return _ceil(1 / false_alarms) - 1


def attainable_rate(images: int, false_alarms: float) -> float:
    """The rate `false_alarms`, or the lowest one for which `images` are enough.

    Args:
        images: number of good images, at least 1.
        false_alarms: desired rate in (0, 1).
    """
    return false_alarms if images >= images_needed(false_alarms) else 1 / (images + 1)


def unsure_threshold(scores: Sequence[float], rate: float | None) -> float | None:
    """The conformal threshold of good scores at a rate, or the lowest one that they allow.

    Args:
        scores: of good images, at least one.
        rate: in (0, 1); None gives None.
    """
    if rate is None:
        return None
    return conformal_threshold(scores, attainable_rate(len(scores), rate))


def describe_conformal(images: int, source: str, false_alarms: float) -> str:
    """The origin of a conformal threshold at `attainable_rate`, for a checkpoint.

    Args:
        images: number of good images, at least 1.
        source: the kind of images, such as "held-out normal images of mvtec".
        false_alarms: desired rate in (0, 1).
    """
    rate = attainable_rate(images, false_alarms)
    rule = "split conformal"
    if rate > false_alarms:
        rule += f"; {_percent(false_alarms)} takes {images_needed(false_alarms)} images"
    return f"{_percent(rate)} false alarms on {images} {source} ({rule})"


def in_words(rate: float, images: int, *, left_out: bool) -> str:
    """The origin of a conformal threshold, such as "5% false alarms on 20 good images".

    Args:
        rate: of false alarms.
        images: number of good images.
        left_out: whether they are references, each scored against the others.
    """
    kind = "references, each left out in turn" if left_out else "good images"
    return f"{_percent(rate)} false alarms on {images} {kind}"


def _percent(rate: float) -> str:
    return f"{100 * rate:.3g}%"


def _ceil(number: float) -> int:
    """Round up, except for rounding errors: 19.000000000000004 is 19."""
    return math.ceil(round(number, 9))
