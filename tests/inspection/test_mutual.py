from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from support.samples import save_image

from moeclip_cli import MutualInspector
from moeclip_cli.errors import UsageError
from moeclip_cli.inspection import mutual as module
from moeclip_cli.inspection import subsets as subsets_module

SIDE = 70


@pytest.fixture(scope="session")
def mutual(standin):
    """The small model, ready to compare images with each other."""
    return MutualInspector.load(
        str(standin.model), backbone_weights=standin.backbone, image_size=SIDE, device="cpu"
    )


def picture(seed, noise):
    """A random pattern, the same for every seed, under noise."""
    pattern = np.random.default_rng(99).integers(0, 255, (SIDE, SIDE, 3))
    pixels = pattern + np.random.default_rng(seed).normal(0, noise, pattern.shape)
    return np.clip(pixels, 0, 255).astype(np.uint8)


@pytest.fixture
def batch():
    """Eight pictures alike, the sixth of which has a defect."""
    pictures = [picture(seed, 4) for seed in range(8)]
    pictures[5][20:45, 20:45] = 255 - pictures[5][20:45, 20:45]
    return pictures


def scores(results):
    return [result.score for result in results]


def test_the_image_that_differs_from_the_others_stands_out(mutual, batch):
    results = list(mutual.score(batch))
    assert [result.verdict == "anomalous" for result in results] == [n == 5 for n in range(8)]
    assert {result.references for result in results} == {7}
    assert {result.model for result in results} == {"standin.pth, mutual"}
    row, column = np.unravel_index(results[5].probability.argmax(), (SIDE, SIDE))
    assert 15 <= row < 50
    assert 15 <= column < 50


def test_order_and_batch_size_change_no_score(mutual, batch):
    expected = scores(mutual.score(batch, batch_size=1))
    found = scores(mutual.score(batch[::-1], batch_size=3, workers=0))
    assert found[::-1] == pytest.approx(expected, abs=1e-4)


def test_a_score_depends_on_the_company(mutual, batch):
    alone, _ = mutual.score([batch[0], batch[5]])
    assert alone.score > 1.5 * next(mutual.score(batch)).score


def test_images_that_are_alike_are_all_normal(mutual, batch):
    results = list(mutual.score([batch[0]] * 5))
    assert {result.verdict for result in results} == {"normal"}
    assert results[0].threshold >= 0.02


def test_a_given_threshold_is_used(standin, batch):
    strict = MutualInspector.load(
        str(standin.model), backbone_weights=standin.backbone, image_size=SIDE, device="cpu",
        threshold=0.0001,
    )  # fmt: skip
    assert {result.verdict for result in strict.score(batch[:3])} == {"anomalous"}


def test_unreadable_images_get_an_error_and_the_others_are_compared(mutual, batch, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"nothing")
    results = list(mutual.score([*batch[:3], broken, *batch[3:]]))
    assert results[3].error is not None
    assert results[3].score is None
    rest = [result for result in results if result.error is None]
    assert scores(rest) == pytest.approx(scores(mutual.score(batch)), abs=1e-4)


def test_a_single_readable_image_is_refused(mutual, batch, tmp_path):
    missing = tmp_path / "missing.png"
    with pytest.raises(UsageError, match="fewer than two can be read"):
        mutual.score([batch[0], missing])
    with pytest.raises(UsageError, match="fewer than two"):
        mutual.score(batch[0])


def test_large_sets_are_compared_in_subsets(mutual, batch, monkeypatch):
    monkeypatch.setattr(subsets_module, "LARGEST_SUBSET", 4)
    results = list(mutual.score(batch))
    assert [result.references for result in results] == [3] * 8
    assert results[5].score == max(scores(results))


def test_images_with_numbers_that_are_not_finite_get_an_error(mutual, batch, monkeypatch):
    make = module.PatchTokens.of
    calls = []

    def spoil(levels, grid):
        calls.append(0)
        return make([level * float("nan") if len(calls) == 2 else level for level in levels], grid)

    monkeypatch.setattr(module.PatchTokens, "of", spoil)
    results = list(mutual.score(batch))
    assert [result.error is not None for result in results] == [n == 1 for n in range(8)]
    assert "not finite in float32" in results[1].error


def test_the_built_in_tower_is_the_default(tmp_path):
    for number in range(2):
        save_image(tmp_path / f"{number}.png", seed=number)
    inspector = MutualInspector.load(image_size=SIDE, device="cpu")
    assert inspector.settings["mode"] == "mutual"
    assert inspector.settings["layers"] == [6, 9]
    results = inspector.score([tmp_path / "0.png", Image.open(tmp_path / "1.png")])
    assert [result.references for result in results] == [1, 1]


def test_the_forecast_counts_images_and_comparisons(mutual, batch):
    times = mutual.measure(batch)
    assert times.reading > 0
    assert times.comparing > 0
    expected = 10 * times.reading + 20 * times.maps * times.comparing
    assert times.seconds([5, 5]) == pytest.approx(expected)
    assert mutual.measure(["missing.png", "absent.png"]) is None
