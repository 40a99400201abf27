"""PRO: per-region overlap (Bergmann et al., MVTec AD, IJCV 2021, section 5.1.2).

At a threshold, a region's overlap is the share of its pixels at or above it; PRO is the mean
overlap of all regions, so that a small defect counts as much as a large one. The metric is the area
under PRO over the false-positive rate of the normal pixels, up to a limit, divided by the limit.

A region's overlap is the sum of 1 / area over its pixels at or above the threshold. So PRO is a
recall in which a pixel weighs 1 / area: it streams and merges like a recall, and no threshold
requires a pass over the regions.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from moeclip_cli.evaluation.ranking import Ranking

FPR_LIMIT = 0.3


def region_weights(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The contribution of each anomalous pixel to its region's overlap: 1 / area of the region.

    Args:
        mask: (H, W) true where anomalous. Pixels that touch at an edge or corner form a region.

    Returns:
        (n,) float32, a weight for each anomalous pixel, in row-major order.
    """
    _, labels = cv2.connectedComponents(mask.view(np.uint8), connectivity=8)
    regions = labels[mask]
    return (1 / np.bincount(regions)[regions]).astype(np.float32)


def pro(ranking: Ranking, overlaps: NDArray[np.floating]) -> float | None:
    """Normalised area under the PRO curve up to `FPR_LIMIT`; None if a label is missing.

    Args:
        ranking: ranking of the pixels.
        overlaps: (t,) sum of the region weights of the anomalous pixels at each threshold.
    """
    return ranking.area_under(overlaps, FPR_LIMIT)
