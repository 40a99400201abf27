from __future__ import annotations

import dataclasses
import threading

import numpy as np
import pytest
import torch
from PIL import Image
from samples import save_image

from moeclip_cli import Inspector
from moeclip_cli.errors import ModelError, UsageError


def make_images(folder, count):
    paths = [folder / f"{i}.png" for i in range(count)]
    for i, path in enumerate(paths):
        save_image(path, seed=i, width=50 + 7 * i)
    return paths


def numbers(result):
    return (result.score, result.map_max, result.image_score, result.area_fraction)


def assert_same(one, other):
    assert numbers(one) == pytest.approx(numbers(other), abs=1e-5)
    assert np.abs(one.probability - other.probability).max() < 1e-5


def test_scores_do_not_depend_on_batch_size_company_or_repetition(inspector, tmp_path):
    paths = make_images(tmp_path, 9)
    together = list(inspector.score(paths, batch_size=32))
    one_by_one = list(inspector.score(paths, batch_size=1))
    again = list(inspector.score(paths, batch_size=32))
    (alone,) = inspector.score(paths[5], batch_size=32)
    assert_same(alone, together[5])
    for a, b, c in zip(together, one_by_one, again, strict=True):
        assert_same(a, b)
        assert numbers(a) == numbers(c)


def test_paths_arrays_and_pictures_score_alike(inspector, tmp_path):
    (path,) = make_images(tmp_path, 1)
    picture = Image.open(path)
    results = list(inspector.score([path, str(path), picture, np.asarray(picture)]))
    assert [result.path for result in results] == [str(path), str(path), "", ""]
    for result in results:
        assert_same(result, results[0])
        assert result.anomaly_map.shape == (48, 50)


def test_results_come_in_order_with_failures_in_their_places(inspector, tmp_path):
    paths = make_images(tmp_path, 4)
    paths[1].write_bytes(b"")
    paths[3] = tmp_path / "missing.png"
    results = list(inspector.score(paths, batch_size=2))
    assert [result.path for result in results] == [str(path) for path in paths]
    assert [result.error is None for result in results] == [True, False, True, False]
    assert results[1].score is None
    assert results[1].anomaly_map is None


def test_scoring_is_lazy_and_bounded(inspector):
    taken = []

    def endless():
        while True:
            taken.append(1)
            yield np.zeros((32, 32, 3), np.uint8)

    results = inspector.score(endless(), batch_size=2, workers=2)
    for _ in range(5):
        next(results)
    results.close()
    assert len(taken) < 20


def test_prompt_per_image(inspector, tmp_path):
    paths = make_images(tmp_path, 2)
    names = {str(paths[0]): "bolt", str(paths[1]): "nut"}
    mixed = list(inspector.score(paths, prompt=lambda path: names[str(path)]))
    assert [result.prompt for result in mixed] == ["bolt", "nut"]
    for path, result in zip(paths, mixed, strict=True):
        (alone,) = inspector.score([path], prompt=names[str(path)])
        assert_same(alone, result)
    assert mixed[0].score != next(inspector.score(paths[0], prompt="nut")).score


def test_verdict_and_regions_follow_the_threshold(standin, tmp_path):
    (path,) = make_images(tmp_path, 1)

    def inspect(threshold):
        loaded = Inspector.load(
            str(standin.model),
            backbone_weights=standin.backbone,
            image_size=70,
            threshold=threshold,
            device="cpu",
        )
        return next(loaded.score(path))

    score = inspect(0.5).score
    assert inspect(score).verdict == "anomalous"
    assert inspect(score + 1e-6).verdict == "normal"
    everything = inspect(0.0)
    assert everything.area_fraction == 1.0
    (region,) = everything.regions
    assert (region.x0, region.y0, region.x1, region.y1) == (0, 0, 50, 48)


def test_several_threads_may_score_at_once(inspector, tmp_path):
    paths = make_images(tmp_path, 6)
    expected = list(inspector.score(paths, batch_size=2))
    outcomes = {}

    def work(number):
        outcomes[number] = list(inspector.score(paths, prompt="object", batch_size=2))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for results in outcomes.values():
        for result, reference in zip(results, expected, strict=True):
            assert_same(result, reference)


def short_of_memory(standin, most):
    """An inspector whose network really fails to allocate with more than `most` images."""
    inspector = Inspector.load(
        str(standin.model), backbone_weights=standin.backbone, image_size=70, device="cpu"
    )

    def refuse(network, args):
        if len(args[0]) > most:
            torch.empty(2**60, dtype=torch.uint8)

    inspector.model.network.register_forward_pre_hook(refuse)
    return inspector


def test_batches_shrink_when_memory_runs_out(standin, inspector, tmp_path):
    paths = make_images(tmp_path, 7)
    results = list(short_of_memory(standin, most=2).score(paths, batch_size=7))
    for result, reference in zip(results, inspector.score(paths), strict=True):
        assert_same(result, reference)


def test_one_image_that_does_not_fit_is_an_error_with_a_remedy(standin, tmp_path):
    with pytest.raises(ModelError, match="smaller --image-size"):
        list(short_of_memory(standin, most=0).score(make_images(tmp_path, 2)))


def test_first_choices_of_the_router(inspector, tmp_path):
    (path,) = make_images(tmp_path, 1)
    (result,) = inspector.score(path, experts_layer=4)
    assert result.experts.shape == (5, 5)
    assert set(result.experts.flat) <= {0, 1, 2, 3}
    with pytest.raises(UsageError, match="after blocks 2, 4, 6, 8"):
        inspector.score(path, experts_layer=3)


def test_wrong_arguments_are_refused_at_once(inspector):
    with pytest.raises(UsageError, match="batch size"):
        inspector.score([], batch_size=0)
    with pytest.raises(UsageError, match="is no device"):
        Inspector.load(device="gpu")


def test_medical_domain_scores_by_the_map_alone(standin, tmp_path):
    (path,) = make_images(tmp_path, 1)
    medical = Inspector.load(
        str(standin.model),
        backbone_weights=standin.backbone,
        image_size=70,
        domain="medical",
        device="cpu",
    )
    (result,) = medical.score(path)
    assert result.score == pytest.approx(float(result.probability.max()))


def with_scales(inspector, *scales):
    config = dataclasses.replace(inspector.model.config, scales=scales)
    return Inspector(dataclasses.replace(inspector.model, config=config), device="cpu")


def test_a_model_of_two_scales_sees_an_image_at_both(standin, inspector, tmp_path):
    (path,) = make_images(tmp_path, 1)
    larger = Inspector.load(
        str(standin.model), backbone_weights=standin.backbone, image_size=84, device="cpu"
    )
    (at_70,) = inspector.score(path)
    (at_84,) = larger.score(path)

    both = with_scales(inspector, 84)
    (result,) = both.score(path, experts_layer=4)

    assert both.sizes == (70, 84)
    assert result.image_score == pytest.approx((at_70.image_score + at_84.image_score) / 2)
    assert result.probability.shape == (70, 70)
    low, high = sorted([at_70.probability.mean(), at_84.probability.mean()])
    assert low < result.probability.mean() < high
    assert result.experts.shape == (5, 5)


def test_scores_at_two_scales_do_not_depend_on_company_either(inspector, tmp_path):
    paths = make_images(tmp_path, 3)
    both = with_scales(inspector, 84)
    together = list(both.score(paths, batch_size=3))
    for path, among in zip(paths, together, strict=True):
        (alone,) = both.score(path)
        assert_same(alone, among)
