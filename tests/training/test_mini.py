import dataclasses
import signal

import numpy as np
import pytest
import torch

from moeclip_cli.checkpoints.builtin import BUILTIN
from moeclip_cli.checkpoints.checkpoint import read_checkpoint
from moeclip_cli.checkpoints.safetensors_file import read_safetensors
from moeclip_cli.errors import ModelError, UsageError
from moeclip_cli.model.architecture import infer_architecture
from moeclip_cli.model.backbone import build_backbone
from moeclip_cli.model.experts import MoEAdapter
from moeclip_cli.model.losses import balance_loss, etf_loss, expert_load
from moeclip_cli.model.moeclip import MoECLIP
from moeclip_cli.training.mini import Phase, Recipe, train_mini
from moeclip_cli.training.mini.batches import PairBatches, normalise, patch_targets
from moeclip_cli.training.mini.loop import Trainer
from moeclip_cli.training.mini.losses import dice, focal, ranking
from moeclip_cli.training.mini.network import open_clip_state
from moeclip_cli.training.mini.validation import validate

TINY = Recipe(
    width=64,
    blocks=4,
    text_width=64,
    text_blocks=1,
    image_size=80,
    phases=(Phase(0.5, (80,), 2), Phase(0.5, (80, 96), 2)),
    steps=4,
    text_steps=3,
    names=8,
    validation_pairs=4,
    warmup=1,
    average=0.5,
)


STRETCHES = ("first", "second")


@pytest.fixture(scope="module")
def batch():
    return PairBatches(Recipe(seed=3), Phase(1.0, (80,), 4))[0]


def test_steps_on_one_batch_reduce_the_loss(batch):
    trainer = Trainer(dataclasses.replace(TINY, learning_rate=1e-3, text_steps=20))

    losses = [sum(trainer.step(number, batch, 1e-3).values()) for number in range(12)]

    assert losses[-1] < 0.7 * losses[0]


def test_the_same_seed_gives_the_same_numbers(batch):
    runs = [Trainer(TINY).step(0, batch, 1e-3)["focal"] for _ in range(2)]

    assert runs[0] == runs[1]


@pytest.mark.parametrize(
    "changes",
    [
        {"experts": False, "etf_weight": 0.0},
        {"fofs": False, "etf_weight": 0.0},
        {"aggregation": False},
    ],
)
def test_what_an_ablation_leaves_out_has_no_part_in_the_result(changes, batch):
    whole, without = Trainer(TINY), Trainer(dataclasses.replace(TINY, **changes))
    image = normalise(batch.images[:1])
    (one, other) = (t.network(image, t.texts[0]).patches for t in (whole, without))
    if "aggregation" in changes:
        assert (len(one), len(other)) == (12, 4)
    else:
        assert not torch.equal(one, other)

    without.step(0, batch, 1e-3)

    trained = [a.lora_b.grad is not None and a.lora_b.grad.any() for a in without.adapters]
    assert trained == [changes.get("experts", True)] * 4


def test_a_batch_is_the_same_whoever_makes_it():
    one, again = (PairBatches(Recipe(seed=3), Phase(1.0, (80, 96), 2))[5] for _ in range(2))

    assert torch.equal(one.images, again.images) and torch.equal(one.target, again.target)
    assert not torch.equal(
        one.images, PairBatches(Recipe(seed=4), Phase(1.0, one_size(one), 2))[5].images
    )


def one_size(batch):
    return (batch.images.shape[-1],)


def test_training_writes_a_model_that_loads_again(tmp_path):
    reports = []

    validation = train_mini(TINY, tmp_path, workers=0, report=reports.append, report_every=2)

    checkpoint = read_checkpoint(tmp_path / "moeclip-mini.safetensors")
    state, _ = read_safetensors(tmp_path / "moeclip-mini-backbone.safetensors")
    backbone = build_backbone(infer_architecture(state), state, quick_gelu=False)
    network = MoECLIP(checkpoint.config.network, backbone, checkpoint.build_adapters())
    comparison = network(torch.zeros(1, 3, 80, 80), network.encode_text(["nut"])[0])
    assert comparison.patches.isfinite().all()
    assert checkpoint.config.threshold.value == pytest.approx(validation.threshold)
    assert checkpoint.config.training["steps"] == 4
    assert [report.stand.step for report in reports] == [2, 4, 4]


def test_a_training_begins_with_the_weights_of_an_earlier_one(tmp_path):
    train_mini(TINY, tmp_path / "first", workers=0)
    recipe = dataclasses.replace(TINY, start=str(tmp_path / "first"), seed=5)

    trainer = Trainer(recipe)
    train_mini(recipe, tmp_path / "second", workers=0)

    first, second = (tmp_path / name / "moeclip-mini-backbone.safetensors" for name in STRETCHES)
    begun = open_clip_state(trainer.network.backbone)
    assert all(torch.equal(begun[k], v) for k, v in read_safetensors(first)[0].items())
    moved = {k for k, v in read_safetensors(second)[0].items() if not torch.equal(begun[k], v)}
    assert moved and all(name.startswith("visual.") for name in moved)
    told = read_checkpoint(tmp_path / "second" / "moeclip-mini.safetensors").config.training
    assert told["before"]["recipe"]["seed"] == TINY.seed


def test_a_training_for_larger_images_begins_with_the_same_sense_of_place(tmp_path):
    train_mini(TINY, tmp_path, workers=0)
    earlier = Trainer(dataclasses.replace(TINY, start=str(tmp_path))).network
    larger = Trainer(dataclasses.replace(TINY, start=str(tmp_path), image_size=128)).network
    image = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))

    tokens = [network.backbone.visual.embed(image) for network in (earlier, larger)]

    assert len(larger.backbone.visual.positional_embedding) == 65
    torch.testing.assert_close(*tokens, atol=1e-4, rtol=1e-4)


def test_the_result_lies_between_the_weights_before_and_after(tmp_path):
    train_mini(TINY, tmp_path, workers=0)
    recipe = dataclasses.replace(TINY, start=str(tmp_path), kept=0.25)
    trainer, batch = Trainer(recipe), PairBatches(recipe, recipe.phases[0])[0]
    before = trainer.network.backbone.visual.ln_post.weight.clone()

    trainer.step(0, batch, 1e-2)

    after = trainer.averaged.module.backbone.visual.ln_post.weight
    assert not torch.equal(before, after)
    mixed = trainer.result().backbone.visual.ln_post.weight
    torch.testing.assert_close(mixed, 0.25 * before + 0.75 * after)


def test_a_training_does_not_overwrite_what_it_begins_with(tmp_path):
    with pytest.raises(UsageError, match="another folder"):
        train_mini(dataclasses.replace(TINY, start=str(tmp_path)), tmp_path, workers=0)


def test_weights_of_another_shape_are_refused(tmp_path):
    train_mini(TINY, tmp_path, workers=0)

    with pytest.raises(UsageError, match="not of the recipe's shape"):
        Trainer(dataclasses.replace(TINY, start=str(tmp_path), width=128))
    with pytest.raises(ModelError, match="nowhere"):
        Trainer(dataclasses.replace(TINY, start=str(tmp_path / "nowhere")))


def test_worker_processes_make_the_same_training(tmp_path):
    alone = train_mini(TINY, tmp_path / "alone", workers=0)
    # Validated before the second phase starts its workers: OpenCV is in use in this process then.
    helped = train_mini(TINY, tmp_path / "helped", workers=1, validate_every=0)

    assert helped == alone


def test_an_interrupted_training_goes_on_to_the_same_weights(tmp_path):
    train_mini(TINY, tmp_path / "whole", workers=0)

    def interrupt(progress):
        if progress.stand.step == 1:
            signal.raise_signal(signal.SIGINT)

    parts = tmp_path / "parts"
    with pytest.raises(KeyboardInterrupt):
        train_mini(TINY, parts, workers=0, report=interrupt, report_every=1)
    with pytest.raises(UsageError, match="unfinished"):
        train_mini(TINY, parts, workers=0)
    with pytest.raises(UsageError, match="another recipe"):
        train_mini(dataclasses.replace(TINY, seed=5), parts, workers=0, resume=True)
    train_mini(TINY, parts, workers=0, resume=True)

    for name in BUILTIN["moeclip-mini"].checkpoint, BUILTIN["moeclip-mini"].backbone:
        one, other = (read_safetensors(tmp_path / run / name)[0] for run in ("whole", "parts"))
        assert all(torch.equal(tensor, other[key]) for key, tensor in one.items())
    assert sorted(path.name for path in parts.iterdir()) == [
        "moeclip-mini-backbone.safetensors",
        "moeclip-mini.safetensors",
    ]


def test_time_can_end_the_training(tmp_path):
    recipe = dataclasses.replace(TINY, steps=10**6)

    train_mini(recipe, tmp_path, minutes=1e-4, workers=0)

    assert read_checkpoint(tmp_path / "moeclip-mini.safetensors").config.training["steps"] == 1


def test_the_model_is_used_as_it_was_validated(tmp_path):
    recipe = dataclasses.replace(TINY, steps=1, scales=(96,), image_weight=0.75)

    validation = train_mini(recipe, tmp_path, workers=0)

    config = read_checkpoint(tmp_path / "moeclip-mini.safetensors").config
    assert (config.scales, config.image_weight) == ((96,), 0.75)
    assert config.threshold.value == pytest.approx(validation.threshold)
    one_scale = validate(Trainer(TINY).network, TINY)
    two_scales = validate(Trainer(TINY).network, recipe)
    assert one_scale.threshold != two_scales.threshold


def test_a_patch_is_anomalous_where_enough_of_it_is_covered():
    area = torch.zeros(1, 80, 80)
    area[0, :16, :16] = 1  # the first patch
    area[0, 0, 16:18] = 1  # two pixels of the second

    target, weight = patch_targets(area)

    assert target[0].nonzero().flatten().tolist() == [0]
    assert weight[0, :3].tolist() == [1, 0, 1]


def test_a_tiny_defect_still_has_a_patch():
    area = torch.zeros(2, 80, 80)
    area[0, 20, 20:23] = 1

    target, _ = patch_targets(area)

    assert target.sum(1).tolist() == [1, 0]


def test_a_defect_all_over_weighs_no_more_than_a_large_one():
    area = torch.zeros(2, 160, 160)
    area[0] = 1
    area[1, :16, :16] = 1

    target, weight = patch_targets(area)

    assert (target * weight).sum(1).tolist() == pytest.approx([32, 1])
    assert weight[1, 50:].eq(1).all()


def test_losses_are_small_when_right_and_large_when_wrong():
    target = torch.tensor([[1.0, 0, 0, 0], [0, 0, 0, 0]])
    weight = torch.ones_like(target)
    right = (target * 2 - 1)[None] * 20

    assert focal(right, target, weight) < 1e-6 < 1 < focal(-right, target, weight)
    assert (
        dice(right.sigmoid(), target, weight) < 0.01 < 1 < dice((-right).sigmoid(), target, weight)
    )


def test_ignored_patches_do_not_count():
    target = torch.tensor([[1.0, 0]])
    weight = torch.tensor([[1.0, 0]])
    difference = torch.tensor([[[20.0, 20.0]]])

    assert focal(difference, target, weight) < 1e-6
    assert dice(difference.sigmoid(), target, weight) < 1e-6


def test_ranking_prefers_the_right_order():
    label = torch.tensor([1.0, 0, 1, 0])

    right = ranking(torch.tensor([0.9, 0.1, 0.8, 0.2]), label)
    wrong = ranking(torch.tensor([0.1, 0.9, 0.2, 0.8]), label)

    assert right < 0.01 < wrong
    assert ranking(torch.tensor([0.5, 0.5]), torch.zeros(2)) == 0


def test_etf_equals_its_definition():
    torch.manual_seed(0)
    adapter = MoEAdapter(dataclasses.replace(small_config(), dropout=0.0), 32)
    torch.nn.init.normal_(adapter.lora_b)
    _, routing = adapter(torch.randn(2, 5, 32))

    outputs = torch.einsum("bter,edr->bted", routing.low_rank, adapter.lora_b)
    unit = torch.nn.functional.normalize(outputs, dim=-1)
    wanted = torch.full((4, 4), -1 / 3).fill_diagonal_(1)
    expected = (unit @ unit.transpose(-1, -2) - wanted).square().mean()

    torch.testing.assert_close(etf_loss(routing, adapter), expected, atol=1e-5, rtol=1e-4)


def test_balance_is_zero_for_equal_loads():
    adapter = MoEAdapter(small_config(), 32)  # a router of zeros treats all alike
    _, routing = adapter(torch.randn(2, 5, 32))

    assert balance_loss(expert_load(routing)).item() == pytest.approx(0, abs=1e-10)


def small_config():
    from moeclip_cli.model.config import NetworkConfig

    return NetworkConfig(layers=(1,), rank=4)


def test_nothing_is_measured_without_pairs():
    with pytest.raises(UsageError, match="use more"):
        validate(Trainer(TINY).network, dataclasses.replace(TINY, validation_pairs=0))


def test_normalised_images_are_what_the_inspector_feeds():
    from moeclip_cli.images.preprocess import preprocess

    pixels = np.random.default_rng(0).integers(0, 256, (80, 80, 3), dtype=np.uint8)

    own = normalise(torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None])[0]

    torch.testing.assert_close(own, preprocess(pixels, 80), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "changes",
    [
        {"phases": (Phase(0.4, (80,), 2),)},
        {"image_size": 100},
        {"scales": (100,)},
        {"phases": (Phase(1, (64,), 2),)},
        {"kept": 0.5},
    ],
)
def test_impossible_recipes_are_refused(changes):
    with pytest.raises(UsageError):
        dataclasses.replace(TINY, **changes)


def test_the_rate_warms_up_and_falls():
    recipe = dataclasses.replace(TINY, warmup=10, learning_rate=1.0, decay_from=0.5)

    rates = [recipe.rate_at(step, step / 100) for step in (0, 9, 50, 75, 99)]

    assert rates == pytest.approx([0.1, 1.0, 1.0, 0.5, 0.02])
