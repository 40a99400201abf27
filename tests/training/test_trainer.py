from __future__ import annotations

import csv
import os
import signal
from dataclasses import replace

import pytest
import torch
from support.trainings import CONFIG, Job, train_on_a_full_disk, train_until_killed

from moeclip_cli.checkpoints.checkpoint import read_checkpoint
from moeclip_cli.errors import DatasetError, ModelError
from moeclip_cli.training.examples import GeneratedExamples
from moeclip_cli.training.objective import Objective
from moeclip_cli.training.optimiser import AdapterAdam
from moeclip_cli.training.run_folder import STATE_FILE
from moeclip_cli.training.state import read_state
from moeclip_cli.training.trainer import train


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """Runs that are compared bit by bit have to add in the same order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def straight(standin, tmp_path_factory):
    """A training without interruption."""
    job = Job(tmp_path_factory.mktemp("straight") / "run", standin.backbone)
    job.run()
    return job.out


def columns(path, *left_out):
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    return [{k: v for k, v in row.items() if k not in left_out} for row in rows]


def assert_equal_runs(one, other):
    for name in ("model.safetensors",):
        assert (one / name).read_bytes() == (other / name).read_bytes()
    mine, theirs = read_state(one / STATE_FILE), read_state(other / STATE_FILE)
    assert mine.step == theirs.step == 10
    for name, tensor in mine.adapters.items():
        assert torch.equal(tensor, theirs.adapters[name]), name
    for number, averages in mine.optimiser["state"].items():
        for name, tensor in averages.items():
            assert torch.equal(tensor, theirs.optimiser["state"][number][name])
    for name in ("metrics.csv", "validation.csv"):
        rows, expected = (columns(run / name, "images_per_second") for run in (one, other))
        assert rows == expected


def test_training_changes_the_adapters_and_records_metrics(straight):
    checkpoint = read_checkpoint(straight / "model.safetensors")
    facts = checkpoint.config.training
    assert facts["settings"]["learning_rate"] == 1e-3
    assert facts["validation"]["normal"] == facts["validation"]["anomalous"] == 2
    how = checkpoint.config.threshold.how
    assert how == (
        "33.3% false alarms on 2 held-out normal images of synthetic "
        "(split conformal; 5% takes 19 images)"
    )
    assert checkpoint.tensors["moe.0.lora_b"].abs().max() > 0
    rows = columns(straight / "metrics.csv")
    assert [row["step"] for row in rows] == ["2", "4", "6", "8", "10"]
    assert [row["learning_rate"] for row in rows] == ["0.001"] * 2 + ["0.0005"] * 3
    # Two full epochs, and the last step in the middle of the third.
    assert [row["step"] for row in columns(straight / "validation.csv")] == ["4", "8", "10"]


def test_the_model_is_that_of_the_best_epoch(straight):
    measured = columns(straight / "validation.csv")
    means = [(float(row["image_auroc"]) + float(row["pixel_auroc"])) / 2 for row in measured]
    facts = read_checkpoint(straight / "model.safetensors").config.training
    assert facts["epoch"] == int(measured[means.index(max(means))]["epoch"])


@pytest.mark.slow
@pytest.mark.parametrize("save_minutes", [0.0, 1000.0])
def test_a_training_killed_three_times_and_resumed_ends_in_the_same_bits(
    save_minutes, straight, standin, tmp_path
):
    job = Job(tmp_path / "run", standin.backbone, save_minutes=save_minutes)
    strikes = ((2, False), (4, True), (7, False))
    for number, (step, in_validation) in enumerate(strikes):
        doomed = replace(job, strike_at=step, in_validation=in_validation, resume=number > 0)
        assert doomed.run_in_process(train_until_killed) == -signal.SIGKILL
    replace(job, resume=True).run()
    assert_equal_runs(job.out, straight)


def test_an_interrupt_saves_between_two_steps(straight, standin, tmp_path):
    job = Job(tmp_path / "run", standin.backbone, strike_at=3)
    with pytest.raises(KeyboardInterrupt):
        job.run(lambda: os.kill(os.getpid(), signal.SIGINT))
    assert read_state(job.out / STATE_FILE).step == 3
    replace(job, strike_at=None, resume=True).run()
    assert_equal_runs(job.out, straight)


def test_a_full_disk_is_one_sentence_and_leaves_the_last_state_intact(straight, standin, tmp_path):
    job = Job(tmp_path / "run", standin.backbone, save_minutes=0.0, strike_at=3)
    assert job.run_in_process(train_on_a_full_disk) == 77
    message = (job.out / "message.txt").read_text()
    assert message.startswith("Cannot write ") and message.count(". ") == 0
    assert not list(job.out.glob(".*.partial"))
    assert read_state(job.out / STATE_FILE).step == 3
    replace(job, strike_at=None, resume=True).run()
    assert_equal_runs(job.out, straight)


def test_an_image_that_becomes_unreadable_ends_the_training_after_a_save(
    straight, standin, tmp_path, monkeypatch
):
    job = Job(tmp_path / "run", standin.backbone)
    load = GeneratedExamples.load

    def fail_in_the_second_epoch(self, index, epoch=0):
        if epoch == 1:
            raise DatasetError("image.png cannot be used: it is gone.")
        return load(self, index, epoch)

    with monkeypatch.context() as patched:
        patched.setattr(GeneratedExamples, "load", fail_in_the_second_epoch)
        with pytest.raises(DatasetError, match="it is gone"):
            job.run()
    assert read_state(job.out / STATE_FILE).step == 4
    replace(job, resume=True).run()
    assert_equal_runs(job.out, straight)


def test_running_out_of_memory_names_the_parameters_that_help(standin, tmp_path, monkeypatch):
    def no_memory(*_):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(Objective, "forward", no_memory)
    message = r"not enough memory on cpu for batches of 2 at 70 px; use `checkpoint_activations`"
    with pytest.raises(ModelError, match=message):
        Job(tmp_path / "run", standin.backbone).run()
    assert read_state(tmp_path / "run" / STATE_FILE).step == 0


def test_memory_that_runs_out_after_an_update_does_not_count_it_twice(
    straight, standin, tmp_path, monkeypatch
):
    zero_grad, calls = AdapterAdam.zero_grad, []

    def no_memory_after_the_third_update(self, *arguments, **options):
        calls.append(1)
        if len(calls) == 3:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        zero_grad(self, *arguments, **options)

    job = Job(tmp_path / "run", standin.backbone)
    with monkeypatch.context() as patched:
        patched.setattr(AdapterAdam, "zero_grad", no_memory_after_the_third_update)
        with pytest.raises(ModelError, match="not enough memory"):
            job.run()
    replace(job, resume=True).run()
    assert_equal_runs(job.out, straight)


def test_a_loss_that_is_not_finite_ends_the_training(standin, tmp_path):
    config = replace(CONFIG, learning_rate=1e30)
    with pytest.raises(ModelError, match=r"not a finite number.*`learning_rate`"):
        Job(tmp_path / "run", standin.backbone, config).run()
    state = read_state(tmp_path / "run" / STATE_FILE)
    assert state.step >= 1


def test_a_finished_training_continues_with_more_steps(straight, standin, tmp_path):
    short = Job(tmp_path / "run", standin.backbone, replace(CONFIG, max_steps=8))
    short.run()
    replace(short, config=CONFIG, resume=True).run()
    assert_equal_states(short.out, straight)


def assert_equal_states(one, other):
    mine, theirs = read_state(one / STATE_FILE), read_state(other / STATE_FILE)
    assert all(torch.equal(mine.adapters[name], theirs.adapters[name]) for name in mine.adapters)


def test_workers_and_accumulation_change_only_the_balance_loss(standin, tmp_path):
    """And dropout, which is off here: each part of a batch has its own mask.

    Later steps differ more: rounding routes patches with nearly equal logits to other experts.
    """
    network = replace(CONFIG.network, dropout=0.0)
    config = replace(CONFIG, network=network, balance_weight=0.0, learning_rate=5e-5, max_steps=3)
    one = Job(tmp_path / "one", standin.backbone, config)
    train(one.prepare(log_every=1), lambda progress: None)
    parts = Job(tmp_path / "parts", standin.backbone, replace(config, accumulate=2))
    train(parts.prepare(log_every=1, workers=3), lambda progress: None)
    names = ("total", "image", "segmentation", "etf")
    mine, theirs = (columns(job.out / "metrics.csv") for job in (one, parts))
    for row, expected in zip(mine, theirs, strict=True):
        values, wanted = ([float(r[name]) for name in names] for r in (row, expected))
        assert values == pytest.approx(wanted, rel=1e-4)


# Three steps an epoch, the last of which has one image.
ODD = replace(CONFIG, epoch_images=5, val_fraction=0.4)


def test_the_last_smaller_batch_of_an_epoch_is_trained_on(standin, tmp_path):
    job = Job(tmp_path / "run", standin.backbone, replace(ODD, max_steps=None, epochs=2))
    summary = job.run()
    assert (summary["steps"], summary["images"]) == (6, 10)
    before = Job(tmp_path / "before", standin.backbone, replace(ODD, max_steps=2))
    after = Job(tmp_path / "after", standin.backbone, replace(ODD, max_steps=3))
    states = []
    for each in (before, after):
        each.run()
        states.append(read_state(each.out / STATE_FILE).adapters["projections.0.weight"])
    assert not torch.equal(*states)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_training_that_is_resumed_around_a_smaller_batch_ends_in_the_same_bits(
    accumulate, standin, tmp_path
):
    config = replace(ODD, accumulate=accumulate, max_steps=7)
    Job(tmp_path / "straight", standin.backbone, config).run()
    for steps in (2, 3, 7):
        part = replace(config, max_steps=steps)
        Job(tmp_path / "run", standin.backbone, part, resume=steps > 2).run()
    states = [read_state(tmp_path / name / STATE_FILE) for name in ("straight", "run")]
    assert [state.step for state in states] == [7, 7]
    for name, tensor in states[0].adapters.items():
        assert torch.equal(tensor, states[1].adapters[name]), name


def test_accumulated_parts_without_an_image_change_nothing(standin, tmp_path):
    """The third step has one image for two parts; the rest is as in the test above."""
    network = replace(CONFIG.network, dropout=0.0)
    config = replace(ODD, network=network, learning_rate=5e-5, balance_weight=0.0, max_steps=3)
    rows = []
    for accumulate in (1, 2):
        settings = replace(config, accumulate=accumulate)
        job = Job(tmp_path / str(accumulate), standin.backbone, settings)
        train(job.prepare(log_every=1), lambda progress: None)
        rows.append(columns(job.out / "metrics.csv")[-1])
    for name in ("total", "image", "segmentation", "etf"):
        assert float(rows[1][name]) == pytest.approx(float(rows[0][name]), rel=1e-4)


def test_without_validation_the_model_is_the_last_state(standin, tmp_path):
    config = replace(CONFIG, val_fraction=0.0, max_steps=5)
    job = Job(tmp_path / "run", standin.backbone, config)
    train(job.prepare(samples=1, keep_epochs=True, tensorboard=True), lambda progress: None)
    checkpoint = read_checkpoint(job.out / "model.safetensors")
    assert checkpoint.config.threshold is None
    assert checkpoint.config.training["step"] == 5
    assert [path.name for path in sorted((job.out / "epochs").iterdir())] == [
        "epoch_01.safetensors",
        "epoch_02.safetensors",
    ]
    assert len(list((job.out / "samples").glob("*.png"))) == 2
    assert list((job.out / "tensorboard").iterdir())


def test_a_second_interrupt_in_the_middle_of_a_step_saves_nothing(standin, tmp_path, monkeypatch):
    """The adapters are then neither those before the step nor those after it."""
    job = Job(tmp_path / "run", standin.backbone, save_minutes=0.0)
    step, calls = AdapterAdam.step, []

    def interrupted(self, closure=None):
        calls.append(1)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
        return step(self, closure)

    monkeypatch.setattr(AdapterAdam, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        job.run()
    assert read_state(job.out / STATE_FILE).step == 2
