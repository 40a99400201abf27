"""Pictures of how the adapters see a few images, to look at while they are trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.inspection.result import ANOMALOUS, NORMAL
from moeclip_cli.reports.overlay import caption
from moeclip_cli.reports.pictures import save_picture
from moeclip_cli.reports.sheet import render_sheet
from moeclip_cli.training.examples import Example, Examples


def choose_samples(examples: Examples, count: int) -> list[int]:
    """Which images to draw: spread evenly over all of them."""
    chosen = min(count, len(examples))
    return [int(index) for index in np.linspace(0, len(examples) - 1, chosen)]


def save_sample(
    path: Path,
    example: Example,
    score: float,
    probability: NDArray[np.float32],
    threshold: float,
) -> None:
    """Draw image, map, overlay and mask side by side.

    Raises:
        UsageError: if the file cannot be written.
    """
    line = caption(score, ANOMALOUS if score >= threshold else NORMAL)
    sheet = render_sheet(example.pixels, probability, threshold, mask=example.mask, caption=line)
    save_picture(path, sheet)
