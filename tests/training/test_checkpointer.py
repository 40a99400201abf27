from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from support.trainings import CONFIG, Job

from moeclip_cli.checkpoints.checkpoint import read_checkpoint
from moeclip_cli.errors import ModelError
from moeclip_cli.training.checkpointer import Checkpointer
from moeclip_cli.training.learner import build_learner
from moeclip_cli.training.run_folder import STATE_FILE
from moeclip_cli.training.state import read_state
from moeclip_cli.training.validation import ValidationMetrics


@pytest.fixture
def start(standin, tmp_path):
    """Prepare a training and its checkpointer: start(config) -> run, learner, checkpointer."""

    def start(config=CONFIG, **changes):
        job = Job(tmp_path / "run", standin.backbone, config)
        job = replace(job, resume=(job.out / STATE_FILE).exists())
        run = job.prepare(**changes)
        learner = build_learner(run.config, run.network, run.device)
        return run, learner, Checkpointer(run, learner)

    return start


def change(learner):
    with torch.no_grad():
        for parameter in learner.network.adapters.parameters():
            parameter.add_(1.0)


def test_a_saved_state_is_restored_into_the_network(start):
    run, learner, checkpointer = start()
    state = checkpointer.restore()
    assert (state.step, state.recent) == (0, [0.0] * 5)
    change(learner)
    state.add([1.0] * 5)
    checkpointer.save(state)
    expected = learner.network.adapters.state_dict()
    run.folder.close()

    _, learner, checkpointer = start()
    restored = checkpointer.restore()
    assert (restored.step, restored.recent) == (1, [1.0] * 5)
    tensors = learner.network.adapters.state_dict()
    assert all(torch.equal(tensors[name], expected[name]) for name in expected)


def test_a_state_for_another_backbone_is_refused(start):
    run, learner, checkpointer = start()
    learner.network.adapters.text_layer = None  # as beside a backbone without a text tower
    checkpointer.save(checkpointer.restore())
    run.folder.close()

    with pytest.raises(ModelError, match="does not fit the backbone.*use `overwrite`"):
        start()[2].restore()


@pytest.mark.parametrize(("minutes", "saved"), [(0.0, True), (1000.0, False)])
def test_a_save_is_due_after_the_given_minutes(start, minutes, saved):
    run, _, checkpointer = start(save_minutes=minutes)
    state = checkpointer.restore()
    checkpointer.save_if_due(state)
    assert (run.path / STATE_FILE).exists() is saved


def test_with_validation_only_the_best_adapters_become_the_model(start):
    run, learner, checkpointer = start(keep_epochs=True)
    state = checkpointer.restore()
    validation = ValidationMetrics(0.9, 0.8, 0.1, 0.4321, normal=40, anomalous=3)
    model = run.path / "model.safetensors"
    for step, best in ((4, True), (8, False)):
        state.step = step
        change(learner)
        checkpointer.save(state)
        checkpointer.write_models(state, validation, best=best)
    assert read_state(run.path / STATE_FILE).step == 8
    config = read_checkpoint(model).config
    assert config.training["epoch"] == 1
    assert config.training["validation"]["image_auroc"] == 0.9
    assert config.threshold.value == 0.4321
    assert config.threshold.how == (
        "5% false alarms on 40 held-out normal images of synthetic (split conformal)"
    )
    epochs = [read_checkpoint(path) for path in sorted((run.path / "epochs").iterdir())]
    assert [epoch.config.training["step"] for epoch in epochs] == [4, 8]
    assert epochs[0].tensors.keys() == read_checkpoint(model).tensors.keys()


def test_without_validation_every_save_writes_the_model(start):
    run, _, checkpointer = start(replace(CONFIG, val_fraction=0.0))
    state = checkpointer.restore()
    checkpointer.save(state)
    assert not (run.path / "model.safetensors").exists()
    state.step = 3
    checkpointer.save(state)
    config = read_checkpoint(run.path / "model.safetensors").config
    assert (config.training["step"], config.training["epoch"], config.threshold) == (3, 1, None)


def test_other_processes_write_nothing(start, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    run, _, checkpointer = start(keep_epochs=True)
    state = checkpointer.restore()
    checkpointer.save(state)
    checkpointer.write_models(state, None, best=True)
    assert not run.path.exists()
