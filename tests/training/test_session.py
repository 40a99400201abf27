from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from support.trainings import CONFIG, Job

from moeclip_cli.errors import UsageError
from moeclip_cli.runs.run_card import read_card


def test_a_prepared_run_has_data_network_and_folder(standin, tmp_path):
    run = Job(tmp_path / "run", standin.backbone).prepare()
    assert (len(run.training), len(run.held_out)) == (8, 4)
    assert run.network.training and not run.resumed
    card = read_card(run.path)
    assert card["settings"]["training"]["learning_rate"] == 1e-3
    assert card["environment"]["processes"] == 1
    options = (run.path / "train.toml").read_text()
    assert f'backbone_weights = "{standin.backbone}"' in options


def test_steps_and_epochs_of_a_run(standin, tmp_path):
    run = Job(tmp_path / "run", standin.backbone).prepare()
    assert (run.order.steps_per_epoch, run.steps) == (4, 10)
    assert [run.epoch_of(step) for step in (1, 4, 5, 8, 9, 10)] == [1, 1, 2, 2, 3, 3]
    whole = replace(run, config=replace(CONFIG, max_steps=None))
    assert whole.steps == 12


def test_the_same_seed_gives_the_same_network(standin, tmp_path):
    networks = [
        Job(tmp_path / name, standin.backbone).prepare().network.adapters.state_dict()
        for name in ("one", "other")
    ]
    assert all(torch.equal(networks[0][name], networks[1][name]) for name in networks[0])


def test_a_training_is_neither_overwritten_nor_resumed_without_request(standin, tmp_path):
    job = Job(tmp_path / "run", standin.backbone)
    run = job.prepare()
    run.folder.close()
    with pytest.raises(UsageError, match="unfinished training; use `resume`.*`overwrite`"):
        job.prepare()
    run.folder.card.finish({}, {})
    with pytest.raises(UsageError, match="finished training; use `resume`.*`epochs`.*`overwrite`"):
        job.prepare()
    with pytest.raises(UsageError, match=r"no training in .* to resume"):
        Job(tmp_path / "none", standin.backbone, resume=True).prepare()


def test_only_the_length_may_differ_when_a_training_is_resumed(standin, tmp_path):
    Job(tmp_path / "run", standin.backbone).prepare()
    other = replace(CONFIG, batch_size=4)
    with pytest.raises(UsageError, match=r"batch size was 2, now it is 4.*train\.toml"):
        Job(tmp_path / "run", standin.backbone, other, resume=True).prepare()
    reseeded = replace(CONFIG, seed=5)
    told = r"its seed was 111, now it is 5; its list of training images was generated 111 8, now"
    with pytest.raises(UsageError, match=told):  # the cause before what follows from it
        Job(tmp_path / "run", standin.backbone, reseeded, resume=True).prepare()
    longer = replace(CONFIG, epochs=30, max_steps=None)
    assert Job(tmp_path / "run", standin.backbone, longer, resume=True).prepare().steps == 120


def test_a_batch_must_be_divisible_among_processes_and_parts(standin, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "3")
    config = replace(CONFIG, batch_size=4, accumulate=2)
    with pytest.raises(UsageError, match=r"among 3 processes.*`batch_size` as a multiple of 6"):
        Job(tmp_path / "run", standin.backbone, config).prepare()
    assert not (tmp_path / "run").exists()


def test_only_the_main_process_claims_the_folder(standin, tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    run = Job(tmp_path / "run", standin.backbone).prepare()
    assert run.folder is None
    assert not run.path.exists()
