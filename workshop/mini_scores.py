"""Shared parts of the scripts that evaluate the built-in model: options, scores and formatting."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moeclip_cli import Inspector
from moeclip_cli.evaluation.ranking import rank

Pixels = NDArray[np.uint8]


def model_parser(documentation: str) -> argparse.ArgumentParser:
    """Return a parser with the options that `load_model` reads."""
    parser = argparse.ArgumentParser(description=documentation.splitlines()[0])
    parser.add_argument("--model", default="moeclip-mini", help="built-in name or checkpoint file")
    parser.add_argument("--backbone-weights", type=Path, help="backbone file of the checkpoint")
    return parser


def load_model(options: argparse.Namespace, **more: Any) -> Inspector:
    return Inspector.load(
        options.model, backbone_weights=options.backbone_weights, device="cpu", **more
    )


@dataclass(frozen=True)
class Scores:
    """Scores of normal and of defective images; for pairs, in the same order."""

    normal: NDArray[np.float64]
    defective: NDArray[np.float64]

    def auroc(self) -> float | None:
        labels = np.repeat([False, True], [len(self.normal), len(self.defective)])
        return rank(np.concatenate([self.normal, self.defective]), labels).auroc()

    def rates(self, threshold: float) -> tuple[float, float]:
        """Return the rate of false alarms and the rate of defects found, as fractions."""
        return float((self.normal >= threshold).mean()), float((self.defective >= threshold).mean())


def score_pairs(inspector: Inspector, pairs: Iterable[tuple[Pixels, Pixels]]) -> Scores:
    """Score pairs of a clean and a defective image."""
    images = (image for pair in pairs for image in pair)
    scores = np.array([result.score for result in inspector.score(images)])
    return Scores(scores[::2], scores[1::2])


def format_metric(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
