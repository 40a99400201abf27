"""Sample pictures: anomaly maps of a few images during a training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.images.encode import save_picture
from moeclip_cli.inspection.verdicts import ANOMALOUS, NORMAL
from moeclip_cli.pictures.overlay import caption
from moeclip_cli.pictures.sheet import render_sheet
from moeclip_cli.training.examples import Example, Examples


def choose_samples(examples: Examples, count: int) -> list[int]:
    """Indices of at most `count` images, spread evenly over all."""
    count = min(count, len(examples))
    return [int(index) for index in np.linspace(0, len(examples) - 1, count)]


def save_sample(
    path: Path,
    example: Example,
    score: float,
    probability: NDArray[np.float32],
    threshold: float,
) -> None:
    """Draw image, map, overlay and, if known, the ground truth side by side.

    Args:
        path: the PNG file to write.
        example: the image and its mask.
        score: its deployed score.
        probability: (S, S) its anomaly map.
        threshold: of the verdict in the caption and of the colours.

    Raises:
        UsageError: if the file cannot be written.
    """
    line = caption(score, ANOMALOUS if score >= threshold else NORMAL)
    truth = example.ground_truth
    sheet = render_sheet(example.pixels, probability, threshold, mask=truth, caption=line)
    save_picture(path, sheet)
