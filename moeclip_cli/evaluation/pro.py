"""PRO: per-region overlap (Bergmann et al., MVTec AD, IJCV 2021, section 5.1.2).

At a threshold, a region's overlap is the share of its pixels at or above it; PRO is the mean
overlap of all regions, so that a small defect counts as much as a large one. The metric is the area
under PRO over the false-positive rate of the normal pixels, up to a limit, divided by the limit.

A region's overlap is a sum over its pixels of 1 / area. So PRO is a recall whose pixels weigh
1 / area: it streams and merges like one, and no threshold needs a pass over the regions.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from moeclip_cli.evaluation.ranking import Ranking

FPR_LIMIT = 0.3


def region_weights(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """What each anomalous pixel adds to its region's overlap: 1 / area of the region.

    Args:
        mask: (H, W) true where anomalous. Pixels that touch, also at a corner, are one region.

    Returns:
        One weight for each anomalous pixel, in the order of `mask` flattened by rows.
    """
    _, labels = cv2.connectedComponents(mask.view(np.uint8), connectivity=8)
    regions = labels[mask]
    return (1 / np.bincount(regions)[regions]).astype(np.float32)


def pro(ranking: Ranking, overlaps: NDArray[np.floating]) -> float | None:
    """Normalised area under the PRO curve up to `FPR_LIMIT`; None if a label is missing.

    Args:
        ranking: of the pixels.
        overlaps: (t,) sum of the region weights of the anomalous pixels at each threshold.
    """
    return ranking.area_under(overlaps, FPR_LIMIT)
