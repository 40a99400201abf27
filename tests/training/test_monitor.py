from __future__ import annotations

import csv

import pytest
from support.trainings import Job

from moeclip_cli.training.checkpointer import Checkpointer
from moeclip_cli.training.learner import build_learner
from moeclip_cli.training.monitor import Monitor

LOSSES = ([1.0, 2.0, 3.0, 4.0, 5.0], [3.0, 2.0, 1.0, 0.0, 5.0])


@pytest.fixture
def start(standin, tmp_path):
    """Prepare a training and its monitor: start(...) -> run, learner, state, monitor, reports."""

    def start(**changes):
        run = Job(tmp_path / "run", standin.backbone).prepare(**changes)
        learner = build_learner(run.config, run.network, run.device)
        state = Checkpointer(run, learner).restore()
        reports = []
        return run, learner, state, Monitor(run, learner, state, reports.append), reports

    return start


def rows(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_row_is_the_mean_over_the_steps_since_the_last_one(start):
    run, _, state, monitor, reports = start(log_every=2)
    for losses in LOSSES:
        with monitor.timed_step(2):
            state.add(losses)
        monitor.record(state)
        monitor.report(state, losses)
    (row,) = rows(run.path / "metrics.csv")
    assert (row["step"], row["epoch"], row["learning_rate"]) == ("2", "1", "0.001")
    names = ("total", "image", "segmentation", "balance", "etf")
    assert [float(row[name]) for name in names] == [2, 2, 2, 2, 5]
    assert (state.recent, state.recent_steps) == ([0.0] * 5, 0)
    assert [(each.step, each.steps, each.epoch) for each in reports] == [(1, 10, 1), (2, 10, 1)]
    assert reports[1].losses == dict(zip(names, LOSSES[1], strict=True))
    assert reports[1].images_per_second == pytest.approx(2 * 2 / monitor.seconds)
    assert reports[1].seconds_left == pytest.approx(8 * monitor.seconds / 2)


def test_a_step_that_fails_does_not_count(start):
    _, _, state, monitor, reports = start()
    with pytest.raises(KeyboardInterrupt), monitor.timed_step(2):
        raise KeyboardInterrupt
    monitor.report(state, LOSSES[0])
    assert monitor.seconds == 0
    assert (reports[0].images_per_second, reports[0].seconds_left) == (0, 0)


def test_validation_is_written_and_reported(start):
    run, learner, state, monitor, reports = start()
    state.step = 4
    validation = monitor.validate(state, run.held_out)
    assert (validation.normal, validation.anomalous) == (2, 2)
    assert monitor.validation is validation
    assert learner.network.training
    (row,) = rows(run.path / "validation.csv")
    assert (row["step"], row["epoch"]) == ("4", "1")
    assert float(row["threshold"]) == pytest.approx(validation.threshold)
    assert (reports[0].validation, reports[0].losses) == (validation, {})


def test_samples_are_drawn_when_they_are_due(start):
    run, learner, state, monitor, _ = start(samples=2, sample_every=2)
    for losses in LOSSES:
        state.add(losses)
        monitor.record(state)
    assert [path.name for path in sorted((run.path / "samples").iterdir())] == [
        "step_000002_00000.png",
        "step_000002_00003.png",
    ]
    assert learner.network.training


def test_other_processes_report_but_write_nothing(start, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    run, _, state, monitor, reports = start(samples=2, sample_every=1, log_every=1)
    state.add(LOSSES[0])
    monitor.record(state)
    monitor.report(state, LOSSES[0])
    monitor.close()
    assert len(reports) == 1
    assert not run.path.exists()
