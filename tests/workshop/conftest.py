"""A tiny model trained by the recipe of the built-in one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from mini import Phase, Recipe, train_mini
from mini.batches import Batch, PairBatches
from mini.loop import Progress
from mini.validation import Validation
from support.mini import TINY


@dataclass(frozen=True)
class TrainedModel:
    """The folder of a trained model, its validation and the reports of its training."""

    folder: Path
    validation: Validation
    reports: list[Progress]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> TrainedModel:
    folder, reports = tmp_path_factory.mktemp("tiny"), []
    validation = train_mini(TINY, folder, workers=0, report=reports.append, report_every=2)
    return TrainedModel(folder, validation, reports)


@pytest.fixture(scope="session")
def batch() -> Batch:
    return PairBatches(Recipe(seed=3), Phase(1.0, (80,), 4))[0]
