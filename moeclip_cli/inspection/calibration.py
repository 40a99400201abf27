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
    if not 0 < false_alarms < 1:
        raise UsageError(
            f"The share of false alarms must lie between 0 and 1, not at {false_alarms:g}; "
            "0.05 stands for 5 %."
        )
    # Guards against 20 * 0.95 = 18.999... and its like.
    rank = math.ceil(round((len(scores) + 1) * (1 - false_alarms), 9))
    if rank > len(scores):
        needed = math.ceil(round(1 / false_alarms, 9)) - 1
        raise UsageError(
            f"{len(scores)} good images are too few for {100 * false_alarms:.3g}% false alarms: "
            f"that takes {needed}. Add some, or allow more with --false-alarms."
        )
    score = sorted(scores)[rank - 1]
    return min(1.0, (math.floor(score * _STEPS) + 1) / _STEPS)
