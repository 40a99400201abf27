"""PRO: per-region overlap (Bergmann et al., MVTec AD, IJCV 2021, section 5.1.2).

At a threshold, a region's overlap is the share of its pixels at or above it; PRO is the mean
overlap of all regions, so that a small defect counts as much as a large one. The metric is the area
under PRO over the false-positive rate of the normal pixels, up to a limit, divided by the limit.

A region's overlap is a sum over its pixels of 1 / area. So PRO is a recall whose pixels weigh
1 / area, and streams and merges like one; no threshold needs a pass over the regions.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from moeclip_cli.evaluation.ranking import area

FPR_LIMIT = 0.3


def region_weights(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """What each anomalous pixel adds to its region's overlap: 1 / area of the region.

    Args:
        mask: (H, W) true where anomalous. Pixels that touch, also at a corner, are one region.

    Returns:
        One weight for each anomalous pixel, in the order of `mask` flattened by rows.
    """
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA].astype(np.float64)
    return 1 / areas[labels[mask]]


def pro(
    false_positive_rate: NDArray[np.float64],
    overlap: NDArray[np.float64],
    limit: float = FPR_LIMIT,
) -> float:
    """Normalised area under the PRO curve up to a false-positive rate.

    Args:
        false_positive_rate: (t,) ascending, one for each threshold, to 1.
        overlap: (t,) mean overlap of the regions at the same thresholds.
        limit: where the integral ends; the curve is cut there by linear interpolation.
    """
    within = int(np.searchsorted(false_positive_rate, limit, side="right"))
    curve = np.append(0.0, false_positive_rate), np.append(0.0, overlap)
    x = np.append(false_positive_rate[:within], limit)
    y = np.append(overlap[:within], np.interp(limit, *curve))
    return area(x, y) / limit
