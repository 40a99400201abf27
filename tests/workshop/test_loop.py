import dataclasses
import signal

import pytest
import torch
from mini import train_mini
from mini.batches import PairBatches
from mini.loop import Trainer
from support.mini import TINY

from moeclip_cli.checkpoints.builtin import BUILTIN
from moeclip_cli.checkpoints.checkpoint import read_checkpoint
from moeclip_cli.checkpoints.safetensors_file import read_safetensors
from moeclip_cli.errors import UsageError
from moeclip_cli.model.backbones.clip import open_clip_state
from moeclip_cli.model.backbones.table import build_backbone, infer_architecture
from moeclip_cli.model.moeclip import MoECLIP

FILES = BUILTIN["moeclip-mini"]


def test_steps_on_one_batch_reduce_the_loss(batch):
    trainer = Trainer(TINY)

    losses = [sum(trainer.step(number, batch, 1e-3).values()) for number in range(8)]

    assert losses[-1] < 0.7 * losses[0]


def test_training_writes_a_model_that_can_be_loaded(tiny_model):
    checkpoint = read_checkpoint(tiny_model.folder / FILES.checkpoint)
    state, _ = read_safetensors(tiny_model.folder / FILES.backbone)
    backbone = build_backbone(infer_architecture(state), state, quick_gelu=False)
    config = checkpoint.config.network
    network = MoECLIP(config, backbone, checkpoint.build_adapters(config))

    comparison = network(torch.zeros(1, 3, 80, 80), network.encode_text(["nut"])[0])

    assert comparison.patches.isfinite().all()
    assert [report.position.step for report in tiny_model.reports] == [2, 4, 4]


def test_the_checkpoint_stores_the_validated_settings(tiny_model):
    config = read_checkpoint(tiny_model.folder / FILES.checkpoint).config

    assert (config.scales, config.image_weight) == ((96,), 0.75)
    assert config.threshold.value == pytest.approx(tiny_model.validation.threshold)
    assert config.training["steps"] == 4


def test_training_starts_from_the_weights_of_an_earlier_model(tiny_model, tmp_path):
    recipe = dataclasses.replace(TINY, start=str(tiny_model.folder), seed=5)
    state = open_clip_state(Trainer(recipe).network.backbone)
    initial = {name: value.half() for name, value in state.items()}

    train_mini(recipe, tmp_path, workers=0)

    for name, value in read_safetensors(tiny_model.folder / FILES.backbone)[0].items():
        assert torch.equal(initial[name], value)
    trained = read_safetensors(tmp_path / FILES.backbone)[0]
    changed = {name for name, value in trained.items() if not torch.equal(initial[name], value)}
    assert changed and all(name.startswith("visual.") for name in changed)
    record = read_checkpoint(tmp_path / FILES.checkpoint).config.training
    assert record["before"]["recipe"]["seed"] == TINY.seed


def test_the_result_is_a_mean_of_the_initial_and_the_trained_weights(tiny_model):
    recipe = dataclasses.replace(TINY, start=str(tiny_model.folder), start_share=0.25)
    trainer, batch = Trainer(recipe), PairBatches(recipe, recipe.phases[0])[0]
    before = trainer.network.backbone.vision.norm.weight.clone()

    trainer.step(0, batch, 1e-2)

    after = trainer.averaged.module.backbone.vision.norm.weight
    assert not torch.equal(before, after)
    mixed = trainer.result().backbone.vision.norm.weight
    torch.testing.assert_close(mixed, 0.25 * before + 0.75 * after)


def test_training_does_not_overwrite_its_initial_model(tmp_path):
    with pytest.raises(UsageError, match="contains the initial model; choose another `out`"):
        train_mini(dataclasses.replace(TINY, start=str(tmp_path)), tmp_path, workers=0)


def test_worker_processes_do_not_change_the_result(tiny_model, tmp_path):
    # Validated before the second phase starts its workers, so that OpenCV is in use by then.
    assert train_mini(TINY, tmp_path, workers=1, validate_every=0) == tiny_model.validation


def test_a_resumed_training_gives_the_weights_of_an_uninterrupted_one(tiny_model, tmp_path):
    def interrupt(progress):
        if progress.position.step == 1:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train_mini(TINY, tmp_path, workers=0, report=interrupt, report_every=1)
    with pytest.raises(UsageError, match="unfinished training"):
        train_mini(TINY, tmp_path, workers=0)
    with pytest.raises(UsageError, match="another recipe"):
        train_mini(dataclasses.replace(TINY, seed=5), tmp_path, workers=0, resume=True)
    train_mini(TINY, tmp_path, workers=0, resume=True)

    for name in (FILES.checkpoint, FILES.backbone):
        resumed = read_safetensors(tmp_path / name)[0]
        for key, tensor in read_safetensors(tiny_model.folder / name)[0].items():
            assert torch.equal(resumed[key], tensor), key
    assert {path.name for path in tmp_path.iterdir()} == {FILES.checkpoint, FILES.backbone}


def test_a_time_limit_ends_the_training(tmp_path):
    train_mini(dataclasses.replace(TINY, steps=10**6), tmp_path, minutes=1e-4, workers=0)

    assert read_checkpoint(tmp_path / FILES.checkpoint).config.training["steps"] == 1
