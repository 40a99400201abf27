from __future__ import annotations

import dataclasses
import io
import re
import threading

import numpy as np
import pytest
import torch
from PIL import Image
from support.samples import save_image

from moeclip_cli import Inspector, Profile
from moeclip_cli.errors import ModelError, UsageError
from moeclip_cli.images.preprocess import preprocess
from moeclip_cli.model.preprocessing import Preprocessing
from moeclip_cli.model.scoring import score_scales


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


def test_scores_do_not_depend_on_batch_size_other_images_or_repetition(inspector, tmp_path):
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


def test_what_cannot_be_read_becomes_a_result_and_the_stream_goes_on(inspector, tmp_path):
    (path,) = make_images(tmp_path, 1)
    content = path.read_bytes()
    images = [None, content, 3.5, io.BytesIO(content), np.zeros((2, 2, 2), np.uint8), path]
    results = list(inspector.score(images))
    assert [result.error is None for result in results] == [False, True, False, True, False, True]
    for result in (results[1], results[3]):
        assert_same(result, results[5])


def test_content_of_one_file_is_one_image(inspector, tmp_path):
    (path,) = make_images(tmp_path, 1)
    assert len(list(inspector.score(path.read_bytes()))) == 1
    with path.open("rb") as stream:
        assert len(list(inspector.score(stream))) == 1


@pytest.mark.parametrize("prompt", [None, "", "  ", 7])
def test_a_prompt_that_names_nothing_is_refused_at_once(inspector, prompt):
    with pytest.raises(UsageError, match="`prompt` is"):
        inspector.score([], prompt=prompt)


def test_a_profile_can_be_given_as_a_path(standin, inspector, tmp_path):
    profile = Profile(0.123, 0.05, 20, "bolt", inspector.settings)
    profile.write(tmp_path / "bolt.json")
    for path in (tmp_path / "bolt.json", str(tmp_path / "bolt.json")):
        loaded = Inspector.load(
            str(standin.model),
            backbone_weights=standin.backbone,
            image_size=70,
            device="cpu",
            profile=path,
        )
        assert loaded.threshold.value == 0.123
    with pytest.raises(UsageError, match=r"Cannot read the profile none\.json: No such file"):
        Inspector.load(profile="none.json")


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


def test_a_model_that_ignores_prompts_has_bit_equal_scores_for_all(inspector, tmp_path):
    paths = make_images(tmp_path, 2)
    only = dataclasses.replace(inspector.model.config, prompt="bolt")
    ignores = Inspector(dataclasses.replace(inspector.model, config=only), device="cpu")
    expected = [numbers(result) for result in inspector.score(paths, prompt="bolt")]
    for prompt in ("bolt", "a much longer name of a part", "nut"):
        results = list(ignores.score(paths, prompt=prompt))
        assert [numbers(result) for result in results] == expected
        assert {result.prompt for result in results} == {prompt}
    assert [numbers(result) for result in inspector.score(paths, prompt="nut")] != expected


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
    with pytest.raises(ModelError, match="smaller `image_size`"):
        list(short_of_memory(standin, most=0).score(make_images(tmp_path, 2)))


def test_memory_that_python_lacks_is_an_error_with_a_remedy(standin, tmp_path):
    inspector = Inspector.load(
        str(standin.model), backbone_weights=standin.backbone, image_size=70, device="cpu"
    )
    inspector.model.network.register_forward_pre_hook(lambda network, args: bytearray(2**62))
    with pytest.raises(ModelError, match="Not enough memory on cpu for a single image"):
        list(inspector.score(make_images(tmp_path, 2)))


@pytest.fixture
def overflowing(standin, tmp_path):
    """Load the stand-in in a precision, with one weight of its tower multiplied by a factor."""

    def load(factor, precision):
        state = torch.load(standin.backbone)
        name = "visual.transformer.resblocks.0.mlp.c_proj.weight"
        state[name] = state[name].float() * factor
        torch.save(state, tmp_path / "backbone.pt")
        return Inspector.load(
            str(standin.model),
            backbone_weights=tmp_path / "backbone.pt",
            image_size=70,
            device="cpu",
            precision=precision,
        )

    return load


NOISE = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
BLACK = np.zeros((64, 64, 3), np.uint8)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_large_activations_have_a_verdict_in_a_type_that_holds_them(overflowing, precision):
    (result,) = overflowing(100_000, precision).score(NOISE)
    assert result.verdict == ("anomalous" if result.score >= 0.5 else "normal")


def test_activations_that_always_overflow_stop_the_run(overflowing):
    inspector = overflowing(100_000, "fp16")
    with pytest.raises(
        ModelError, match="cannot be used in float16.* not even for a test image; set `precision`"
    ):
        next(inspector.score(NOISE))


def test_activations_that_overflow_for_an_image_are_an_error_of_that_image(overflowing):
    inspector = overflowing(3000, "fp16")
    noise, black = inspector.score([NOISE, BLACK], batch_size=2)
    assert noise.error == ("The score is not a finite number in float16; set `precision` to fp32.")
    assert noise.score is noise.verdict is noise.probability is None
    assert black.verdict in ("normal", "anomalous")
    in_float32 = next(overflowing(3000, "fp32").score(NOISE))
    assert in_float32.error is None


def test_weights_that_overflow_half_precision_are_named(overflowing):
    with pytest.raises(
        ModelError,
        match=r"'backbone.vision.blocks.0.mlp.c_proj.weight' has numbers that are not finite in "
        "float16; set `precision` to fp32",
    ):
        overflowing(1e7, "fp16")
    assert next(overflowing(1e7, "fp32").score(NOISE)).error is None


def test_a_model_in_use_is_not_rounded(inspector, tmp_path):
    paths = make_images(tmp_path, 1)
    (before,) = inspector.score(paths)
    with pytest.raises(ModelError, match="in use in float32, and bfloat16 .* load the model again"):
        Inspector(inspector.model, device="cpu", precision="bf16")
    (after,) = inspector.score(paths)
    assert numbers(after) == numbers(before)


def test_weights_that_overflow_float32_when_multiplied_stop_the_run(standin, tmp_path):
    content = torch.load(standin.model)
    content["text_adapter"]["0.fc.0.weight"] *= 1e38
    torch.save(content, tmp_path / "huge.pth")
    inspector = Inspector.load(
        str(tmp_path / "huge.pth"), backbone_weights=standin.backbone, image_size=70, device="cpu"
    )
    with pytest.raises(ModelError, match="huge.pth cannot be used in float32.* another `model`"):
        next(inspector.score(NOISE))


@pytest.mark.parametrize("spoilt", ["score", "probability", "map_max", "image_score", "raw_map"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_every_number_of_an_image_has_to_be_finite(inspector, monkeypatch, spoilt, value):
    def spoil(*args):
        scores = score_scales(*args)
        if len(scores.score) == 2:  # the test image comes alone
            getattr(scores, spoilt)[0].flatten()[-1:] = value
        return scores

    monkeypatch.setattr("moeclip_cli.inspection.forward.score_scales", spoil)
    first, second = inspector.score([NOISE, BLACK], batch_size=2)
    assert "not a finite number in float32; use another `model`" in first.error
    assert first.row().verdict is None
    assert second.error is None


def test_text_features_are_kept_for_the_last_prompts_only(standin, monkeypatch):
    monkeypatch.setattr("moeclip_cli.inspection.forward._KEPT_PROMPTS", 2)
    inspector = Inspector.load(
        str(standin.model), backbone_weights=standin.backbone, image_size=70, device="cpu"
    )
    encoded = []
    inspector.model.network.backbone.text.register_forward_pre_hook(
        lambda tower, args: encoded.append(1)
    )
    for prompt, encodings in [("a", 1), ("b", 2), ("a", 2), ("c", 3), ("a", 3), ("b", 4)]:
        next(inspector.score(BLACK, prompt=prompt))
        assert len(encoded) == encodings


def test_first_choices_of_the_router(inspector, tmp_path):
    (path,) = make_images(tmp_path, 1)
    (result,) = inspector.score(path, experts_layer=4)
    assert result.experts.shape == (5, 5)
    assert set(result.experts.flat) <= {0, 1, 2, 3}
    with pytest.raises(UsageError, match="after blocks 2, 4, 6, 8"):
        inspector.score(path, experts_layer=3)


def test_wrong_arguments_are_refused_at_once(inspector):
    with pytest.raises(UsageError, match="`batch_size`"):
        inspector.score([], batch_size=0)
    with pytest.raises(UsageError, match="`batch_size` must be from 1 to 4096"):
        inspector.score([], batch_size=10**20)
    with pytest.raises(ModelError, match="`image_size` must be at least 1 and at most 4096"):
        Inspector.load(image_size=10**30)
    with pytest.raises(UsageError, match="Unknown device"):
        Inspector.load(device="gpu")
    with pytest.raises(UsageError, match="`workers` must be 0 or more, not -2"):
        inspector.score([], workers=-2)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"domain": "food"}, "Unknown `domain` 'food'; use industrial or medical."),
        ({"threshold": "0.6"}, "`threshold` must be a number, not '0.6'."),
        ({"unsure": "0.6"}, "`unsure` must be a number, not '0.6'."),
        ({"tile": "512"}, "`tile` must be a number of pixels, such as 448, or auto, not '512'."),
        ({"max_pixels": 0}, "`max_pixels` must be at least 1, not 0."),
        ({"references": [], "reference_rotations": 0}, "`reference_rotations` must be at least 1"),
        ({"references": [], "reference_patches": 0}, "`reference_patches` must be at least 1"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_setting_of_a_model_is_one_sentence(standin, wrong, message):
    settings = {"backbone_weights": standin.backbone, "image_size": 70, "device": "cpu"}
    with pytest.raises(UsageError, match=re.escape(message)):
        Inspector.load(str(standin.model), **settings, **wrong)


def test_a_function_that_names_nothing_is_told(inspector, tmp_path):
    (path,) = make_images(tmp_path, 1)
    with pytest.raises(UsageError, match="`prompt` is None"):
        list(inspector.score(path, prompt=lambda image: None))


def test_every_result_has_its_peak_and_the_parts_of_its_score(inspector, tmp_path):
    (path,) = make_images(tmp_path, 1)
    (result,) = inspector.score(path)
    assert result.peak == result.probability.max()
    at_peak = result.anomaly_map[result.peak_y, result.peak_x]
    assert at_peak == pytest.approx(result.peak, abs=1e-3)
    weight = inspector.model.config.image_weight
    assert result.map_part == pytest.approx((1 - weight) * result.peak, abs=1e-6)
    assert result.map_part + result.image_part == pytest.approx(result.score, abs=1e-9)
    row = result.row()
    assert (row.peak, row.peak_x, row.peak_y) == (result.peak, result.peak_x, result.peak_y)
    assert (row.map_part, row.image_part) == (result.map_part, result.image_part)


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
    assert (result.map_part, result.image_part) == (result.score, 0)


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


def test_scores_at_two_scales_do_not_depend_on_other_images(inspector, tmp_path):
    paths = make_images(tmp_path, 3)
    both = with_scales(inspector, 84)
    together = list(both.score(paths, batch_size=3))
    for path, among in zip(paths, together, strict=True):
        (alone,) = both.score(path)
        assert_same(alone, among)


def test_images_are_prepared_as_the_backbone_expects(standin, tmp_path):
    (path,) = make_images(tmp_path, 1)
    loaded = Inspector.load(
        str(standin.model), backbone_weights=standin.backbone, image_size=70, device="cpu"
    )
    backbone = loaded.model.network.backbone
    other = Preprocessing((0.5, 0.4, 0.3), (0.2, 0.25, 0.5), "bilinear")
    family = dataclasses.replace(backbone.architecture.family, preprocessing=other)
    backbone.architecture = dataclasses.replace(backbone.architecture, family=family)
    seen = []
    loaded.model.network.register_forward_pre_hook(lambda network, args: seen.append(args[0]))

    next(loaded.score(path))

    expected = preprocess(np.asarray(Image.open(path)), 70, other)
    assert torch.equal(seen[0][0], expected)
