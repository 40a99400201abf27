from __future__ import annotations

from dataclasses import replace

import pytest
from support.trainings import CONFIG, Job

from moeclip_cli.discovery.walk import OUTPUT_MARKER
from moeclip_cli.runs.lock import LOCK
from moeclip_cli.runs.run_card import CARD
from moeclip_cli.training.run_folder import TRAINING, write_options
from moeclip_cli.training.trainer import train

try:
    import tomllib
except ModuleNotFoundError:
    import tomli as tomllib


def test_overwriting_removes_everything_that_a_training_writes(standin, tmp_path):
    job = Job(tmp_path / "run", standin.backbone, replace(CONFIG, max_steps=4))
    train(job.prepare(samples=1, keep_epochs=True, tensorboard=True), lambda progress: None)
    names = {path.name for path in job.out.iterdir()}
    assert names == {*TRAINING.files, *TRAINING.folders, CARD, OUTPUT_MARKER, LOCK}


def test_options_are_a_settings_file(tmp_path):
    options = {"data": 'own "data" ü', "epochs": 3, "decay": 0.5, "fofs": True, "layers": "2,4"}
    write_options(tmp_path, options)
    assert tomllib.loads((tmp_path / "train.toml").read_text("utf-8")) == {"train": options}


@pytest.mark.parametrize("name", ["epochs", "max_steps"])
def test_the_length_may_differ_when_a_training_is_resumed(name):
    assert name in TRAINING.may_differ
