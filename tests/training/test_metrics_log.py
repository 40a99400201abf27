from __future__ import annotations

import csv

import pytest

from moeclip_cli.training.metrics_log import MetricsLog
from moeclip_cli.training.validation import ValidationMetrics

LOSSES = {"total": 1.0, "image": 0.5, "segmentation": 0.25, "balance": 0.0, "etf": 0.0}
PACE = {"learning_rate": 1e-3, "images_per_second": 7.0}
VALIDATION = ValidationMetrics(0.9, None, 0.1, None, normal=0, anomalous=3)


def rows(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("tensorboard", [False, True])
def test_losses_and_metrics_have_a_file_each(tmp_path, tensorboard):
    log = MetricsLog(tmp_path, 0, 0, tensorboard=tensorboard)
    log.add_losses(2, 1, LOSSES, PACE)
    log.add_validation(4, 1, VALIDATION)
    log.close()
    (losses,) = rows(tmp_path / "metrics.csv")
    assert list(losses) == ["step", "epoch", *PACE, *LOSSES]
    assert (losses["learning_rate"], losses["segmentation"]) == ("0.001", "0.25")
    (metrics,) = rows(tmp_path / "validation.csv")
    assert (metrics["image_auroc"], metrics["pixel_auroc"], metrics["threshold"]) == ("0.9", "", "")
    events = tmp_path / "tensorboard"
    assert events.exists() is tensorboard
    if tensorboard:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        board = EventAccumulator(str(events))
        board.Reload()
        tags = board.Tags()["scalars"]
        assert {"loss/total", "training/learning_rate", "validation/image_auroc"} <= set(tags)
        assert "validation/pixel_auroc" not in tags
        (event,) = board.Scalars("loss/segmentation")
        assert (event.step, event.value) == (2, 0.25)


def test_a_resumed_training_drops_the_rows_of_steps_that_are_repeated(tmp_path):
    log = MetricsLog(tmp_path, 0, 0, tensorboard=False)
    for step in (2, 4, 6):
        log.add_losses(step, 1, LOSSES, PACE)
        log.add_validation(step, 1, VALIDATION)
    MetricsLog(tmp_path, 5, 2, tensorboard=False)
    assert [row["step"] for row in rows(tmp_path / "metrics.csv")] == ["2", "4"]
    assert [row["step"] for row in rows(tmp_path / "validation.csv")] == ["2"]


def test_without_validation_there_is_no_file_for_it(tmp_path):
    MetricsLog(tmp_path, 0, None, tensorboard=False)
    assert not (tmp_path / "validation.csv").exists()
