"""A threshold from images that are known to be good."""

from __future__ import annotations

import math
from collections.abc import Sequence

from moeclip_cli.errors import UsageError

# Steps of a threshold. Coarser than what batch size or device change about a score, by far.
_STEPS = 10_000


def conformal_threshold(scores: Sequence[float], false_alarms: float) -> float:
    """The lowest threshold that a new good image reaches with a probability of `false_alarms`.

    This is split conformal prediction (Vovk, Gammerman and Shafer, 2005): whatever the scores look
    like, the probability is no greater, as long as the new image comes about as these did. It is
    one over all that chance decides, these images among it; the more there are, the less a
    threshold found with them differs from it.

    Args:
        scores: of the good images, each in [0, 1], in any order.
        false_alarms: in (0, 1).

    Returns:
        A number with four decimals, just above one of the scores.

    Raises:
        UsageError: if the rate is not one, or there are too few images for it.
    """
    require_enough(len(scores), false_alarms)
    rank = _ceil((len(scores) + 1) * (1 - false_alarms))
    score = sorted(scores)[rank - 1]
    return min(1.0, (math.floor(score * _STEPS) + 1) / _STEPS)


def require_enough(images: int, false_alarms: float) -> None:
    """Refuse what `conformal_threshold` would refuse, before any image is scored.

    Raises:
        UsageError: if the rate is not one, or there are too few images for it.
    """
    if not 0 < false_alarms < 1:
        raise UsageError(
            f"The share of false alarms must lie between 0 and 1, not at {false_alarms:g}; "
            "0.05 stands for 5 %."
        )
    needed = _ceil(1 / false_alarms) - 1
    if images < needed:
        raise UsageError(
            f"{images} good images are too few for {100 * false_alarms:.3g}% false alarms: "
            f"that takes {needed}. Add some, or allow more with --false-alarms."
        )


def _ceil(number: float) -> int:
    """Rounds up, but not the 19.000000000000004 that should be 19."""
    return math.ceil(round(number, 9))
