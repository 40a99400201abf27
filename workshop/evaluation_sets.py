"""Evaluation sets of the built-in model: images that its training never showed.

- generated images of families, and with types of defect, that are held out of training;
- conformal-clip-data (MIT): textile, nominal and with local defects;
- elpv-dataset (CC BY-NC-SA 4.0): solar cells with defect probability 0 or 1.

The two real sets are used for evaluation only: not for training, not for choosing a checkpoint and
not for setting a threshold. A set whose package is not installed is skipped.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from mini_scores import Pixels
from numpy.typing import NDArray
from PIL import Image

from moeclip_cli.datasets.synthetic import (
    HELD_OUT_DEFECTS,
    HELD_OUT_FAMILIES,
    TRAINING_DEFECTS,
    TRAINING_FAMILIES,
    generate,
)
from moeclip_cli.datasets.synthetic.shapes import SHAPES
from moeclip_cli.datasets.synthetic.textures import PATTERNS

SEED = 20_260_002
SIDE = 256


@dataclass(frozen=True)
class Sample:
    """An image, its label, its mask if there is one, and the part of the set that it belongs to."""

    pixels: Pixels
    anomalous: bool
    mask: NDArray[np.bool_] | None = None
    part: str = ""


def evaluation_sets(pairs: int, limit: int | None) -> Iterator[tuple[str, Iterator[Sample]]]:
    """Yield the name and the samples of each set that is available.

    Args:
        pairs: generated pairs per set.
        limit: maximum number of real images per label; all by default.
    """
    yield "generated, held-out families", synthetic(HELD_OUT_FAMILIES, TRAINING_DEFECTS, pairs)
    yield "generated, held-out defects", synthetic(TRAINING_FAMILIES, HELD_OUT_DEFECTS, pairs)
    yield "generated, both held out", synthetic(HELD_OUT_FAMILIES, HELD_OUT_DEFECTS, pairs)
    if find_spec("conformal_clip_data"):
        yield "textile, local defects", textile(limit)
    else:
        print("conformal-clip-data is not installed; skipping textile", file=sys.stderr)
    if find_spec("elpv_dataset"):
        yield "solar cells", solar(limit)
    else:
        print("elpv-dataset is not installed; skipping solar cells", file=sys.stderr)


def synthetic(families: tuple[str, ...], defects: tuple[str, ...], pairs: int) -> Iterator[Sample]:
    for index in range(pairs):
        pair = generate(SEED, index, SIDE, families, defects)
        part = group_of(pair.family)
        yield Sample(pair.clean, False, np.zeros_like(pair.mask), part)
        yield Sample(pair.defective, True, pair.mask, part)


def group_of(family: str) -> str:
    return "textures" if family in PATTERNS else "parts" if family in SHAPES else "panels"


def textile(limit: int | None) -> Iterator[Sample]:
    import conformal_clip_data

    for folder, anomalous in (
        (conformal_clip_data.nominal_dir(), False),
        (conformal_clip_data.local_dir(), True),
    ):
        for path in sorted(p for p in folder.iterdir() if p.suffix == ".jpg")[:limit]:
            yield Sample(read(path), anomalous)


def solar(limit: int | None) -> Iterator[Sample]:
    spec = find_spec("elpv_dataset")
    folder = Path(spec.origin).parent / "data"
    rows = [line.split() for line in (folder / "labels.csv").read_text().splitlines()]
    for kind in ("mono", "poly"):
        for probability in (0.0, 1.0):
            names = [row[0] for row in rows if float(row[1]) == probability and row[2] == kind]
            # Spread over the list, in which neighbours come from the same module.
            step = 1 if limit is None else max(1, len(names) // limit)
            for path in names[::step][:limit]:
                yield Sample(read(folder / path), probability == 1.0, part=kind)


def read(path: Path) -> Pixels:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))
