"""Results of an image that was compared with several subsets of the references in one pass."""

from __future__ import annotations

from dataclasses import replace

import torch

from moeclip_cli.inspection.result import Result
from moeclip_cli.model.config import Domain
from moeclip_cli.model.scoring import score_distances


def compact(result: Result) -> Result:
    """The result without its maps: the distances, from which `subset_result` makes maps again."""
    return replace(result, probability=None, raw_map=None)


def subset_result(result: Result, number: int, size: tuple[int, int], domain: Domain) -> Result:
    """The score and the maps of an image that was compared with one subset of the references.

    They are those of an inspector that has this subset as its references. Everything
    else is left as it is.

    Args:
        result: of an inspector whose references have subsets.
        number: number of the subset, from 0.
        size: height and width of the maps in pixels, see `Inspector.map_size`.
        domain: determines the blur.

    Raises:
        ValueError: if there are no subsets, or the image was not scored.
    """
    if result.distances is None:
        raise ValueError("the image was not compared with subsets of the references")
    distances = torch.from_numpy(result.distances[number])
    rows, columns = distances.shape
    scores = score_distances(distances.flatten()[None], (rows, columns), size, domain)
    return replace(
        result,
        score=scores.score.item(),
        map_max=scores.map_max.item(),
        image_score=scores.image_score.item(),
        probability=scores.probability[0].numpy(),
        raw_map=scores.raw_map[0].numpy(),
    )
