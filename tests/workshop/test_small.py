"""The training of moeclip-small, with small pictures and the built-in tower."""

from __future__ import annotations

import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from mini.batches import covered_targets
from PIL import Image
from small.network import compare, finished, fresh_network
from small.photographs import Photographs, photographs
from small.pictures import make_pair
from small.recipe import Recipe
from small.tokens import Cache, detail_statistics, statistics, write_cache
from small.training import Trainer
from train_small import training_pairs, write_model

from moeclip_cli import Inspector
from moeclip_cli.checkpoints.loading import load_model
from moeclip_cli.images.preprocess import preprocess

TINY = Recipe(
    layers=(2, 4), size=70, pairs=3, photographs=0.5, steps=6, batch=1, window=4, windows=0.5,
    warmup=1, choosing=10, learning_rate=3e-3,
)  # fmt: skip


@pytest.fixture(scope="module")
def sources():
    rng = np.random.default_rng(0)
    surfaces = [rng.integers(0, 256, (120, 150, 3), np.uint8) for _ in range(2)]
    thing = rng.integers(0, 256, (60, 40, 4), np.uint8)
    thing[..., 3] = 255
    return Photographs(surfaces, [thing])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tokens")


@pytest.fixture(scope="module")
def shards(sources, folder):
    return write_cache(folder, training_pairs(TINY), sources, TINY.layers, workers=1)


@pytest.fixture
def fresh(sources, folder, shards):
    """Makes a trainer of a recipe."""
    cache = Cache(shards, in_memory=True)
    measured = statistics(folder, training_pairs(TINY), sources, TINY.layers)

    def make(recipe=TINY):
        return Trainer(recipe, fresh_network(recipe, measured, detail_statistics(cache)), cache)

    return make


@pytest.fixture
def trainer(fresh):
    return fresh()


def weights(trainer):
    return {name: value.clone() for name, value in trainer.averaged.state_dict().items()}


def test_a_pair_differs_only_where_the_mask_is(sources):
    for number in range(20):
        pair = make_pair(3, number, 96, sources, 1.0)
        assert pair.clean.shape == pair.defective.shape == (96, 96, 3)
        assert 0 < pair.mask.max() <= 1
        again = make_pair(3, number, 96, sources, 1.0)
        assert (again.defective == pair.defective).all()


def test_photographs_leave_out_drawings_copies_and_small_pictures(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / "usr/share/backgrounds"
    folder.mkdir(parents=True)
    for number in range(6):
        pixels = rng.integers(0, 256, (300, 300, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"photo{number}.png")
    Image.fromarray(pixels).save(folder / "photo7-copy.png")
    Image.fromarray(pixels[:200]).save(folder / "small.png")
    Image.fromarray(pixels).save(folder / "wall_normal.png")
    Image.new("RGB", (300, 300), "red").save(folder / "drawing.png")
    ours, others = photographs(tmp_path)
    assert (len(ours.surfaces), len(others.surfaces)) == (4, 2)
    held_out = {picture.tobytes() for picture in others.surfaces}
    assert held_out.isdisjoint(picture.tobytes() for picture in ours.surfaces)


def test_the_cache_has_the_tokens_of_the_tower(sources, shards, trainer):
    batch = Cache(shards).read([2])
    pair = make_pair(TINY.seed, 2, TINY.size, sources, TINY.photographs)
    image = preprocess(pair.defective, TINY.size, trainer.network.preprocessing)
    with torch.inference_mode():
        levels = trainer.network.levels(image[None])
        second = trainer.network.with_detail(levels, image[None]).detail
        detail = trainer.network.adapters.detail.standardised(batch.detail[1])
    assert batch.tokens.shape == (2, 2, 25, 384)
    # The cache is made in bfloat16.
    similar = torch.cosine_similarity(batch.tokens[1].float(), torch.cat(levels.tokens), dim=-1)
    assert similar.min() > 0.99
    assert torch.cosine_similarity(detail, second[0], dim=-1).min() > 0.999
    assert (batch.covered[0] == 0).all()
    assert batch.covered[1].max() > 0


@torch.inference_mode()
def test_cached_distances_give_what_the_network_computes_itself(shards, trainer):
    for part in trainer.network.adapters.self_comparison:
        torch.nn.init.normal_(part.out.weight)
    batch = Cache(shards).read([0])
    with torch.autocast("cpu", torch.bfloat16):
        cached = compare(trainer.network.eval(), batch)
        computed = compare(finished(trainer.network), batch)
    assert torch.allclose(cached.patches, computed.patches, atol=2e-3)


def test_windows_are_parts_of_the_pictures_and_often_show_the_defect(shards):
    cache = Cache(shards)
    whole = cache.read([1])
    rng = np.random.default_rng(0)
    shown = 0
    for _ in range(20):
        part = cache.windows([1], 3, rng)
        assert part.tokens.shape == (2, 2, 9, 384)
        places = [
            (top, left)
            for top in range(3)
            for left in range(3)
            if torch.equal(window(whole.detail, top, left), part.detail)
        ]
        assert len(places) == 1
        assert torch.equal(window(whole.covered, *places[0]), part.covered)
        assert torch.equal(window(whole.tokens[:, 1], *places[0]), part.tokens[:, 1])
        shown += bool(part.covered[1].max() > 0)
    assert shown >= 10


def window(values, top, left):
    grid = values.unflatten(1, (5, 5))
    return grid[:, top : top + 3, left : left + 3].flatten(1, 2)


def test_steps_reduce_the_loss(fresh):
    reports = []
    fresh(replace(TINY, steps=12, windows=0.0)).run(reports.append, 1, None)
    assert [report.step for report in reports] == list(range(1, 13))
    totals = [sum(report.losses.values()) for report in reports]
    assert sum(totals[6:]) < sum(totals[:6])


def test_an_interrupted_training_goes_on_as_if_it_had_not_been(trainer, fresh, tmp_path):
    trainer.run(lambda progress: None, 6, None)
    state = tmp_path / "state.pt"
    other = fresh()

    def interrupt(progress):
        if progress.step == 2:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        other.run(interrupt, 2, state)
    resumed = fresh()
    resumed.restore(state)
    assert 2 <= resumed.step < 6
    resumed.run(lambda progress: None, 6, None)
    ours, theirs = weights(resumed), weights(trainer)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_the_written_model_scores(trainer, sources, tmp_path):
    trainer.run(lambda progress: None, 6, None)
    write_model(trainer, {}, sources, tmp_path)
    file = tmp_path / "moeclip-small.safetensors"
    loaded = load_model(str(file))
    assert loaded.network.adapters.learned_text is not None
    assert loaded.config.detail.name == "moeclip-mini"
    assert loaded.config.threshold.value > 0
    inspector = Inspector.load(file, device="cpu")
    results = list(inspector.score([sources.surfaces[0]], prompt="nut"))
    assert results[0].error is None
    assert 0 <= results[0].score <= 1


def test_a_defect_that_covers_no_patch_much_has_the_one_that_it_covers_most():
    covered = torch.tensor([[0.0, 0.01, 0.02, 0.0], [0.0, 0.5, 0.02, 0.001], [0.0] * 4])
    target, weight = covered_targets(covered)
    assert target.tolist() == [[0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    assert weight.tolist() == [[1, 0, 1, 1], [1, 1, 0, 0], [1, 1, 1, 1]]


def test_variants_of_the_ablation_exist(fresh):
    from ablate_small import VARIANTS

    for changes in VARIANTS.values():
        recipe = replace(TINY, steps=1, **changes | {"layers": TINY.layers})
        fresh(recipe).run(lambda progress: None, 1, None)
