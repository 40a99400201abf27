"""Frozen towers see images in their own aspect ratio, beside others of any shape."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from PIL import Image
from support.samples import save_image

from moeclip_cli import Inspector
from moeclip_cli.discovery.source import find_images
from moeclip_cli.errors import UsageError
from moeclip_cli.inspection.profile import calibrated
from moeclip_cli.runs.folder import RunFolder
from moeclip_cli.runs.kinds import SCORE
from moeclip_cli.runs.score_run import Outputs, run_score, score_settings
from moeclip_cli.runs.stream import Pace

SIDE = 140
SHAPES = [(80, 160), (160, 80), (100, 100), (80, 160), (100, 100), (90, 120)]


def weave(seed, height, width):
    """A regular pattern with noise (height, width, 3) uint8."""
    rows, columns = np.mgrid[0:height, 0:width]
    pattern = 60 * ((rows // 8 + columns // 8) % 2) + 90
    noise = np.random.default_rng(seed).normal(0, 6, (height, width, 3))
    return np.clip(pattern[..., None] + noise, 0, 255).astype(np.uint8)


def compared(references, **options):
    return Inspector.load(references=references, image_size=SIDE, device="cpu", **options)


@pytest.fixture(scope="module")
def inspector():
    return compared([weave(0, 100, 200), weave(1, 120, 120)])


@pytest.mark.parametrize("turn", [False, True], ids=["landscape", "portrait"])
def test_the_map_peaks_on_a_planted_defect(inspector, turn):
    pixels = weave(2, 200, 400)
    top, left = 30, 300
    pixels[top : top + 40, left : left + 40] = (200, 40, 40)
    if turn:
        pixels, top, left = np.ascontiguousarray(pixels.transpose(1, 0, 2)), left, top

    (result,) = inspector.score(pixels)

    rows, columns = result.probability.shape
    assert max(rows, columns) == 2 * min(rows, columns) == 2 * 98
    assert result.raw_map.shape == (rows, columns)
    assert result.anomaly_map.shape == pixels.shape[:2]
    row, column = np.unravel_index(result.anomaly_map.argmax(), result.anomaly_map.shape)
    assert top <= row < top + 40
    assert left <= column < left + 40
    box = max(result.regions, key=lambda region: region.peak)
    assert box.x0 < left + 20 < box.x1
    assert box.y0 < top + 20 < box.y1


def test_company_order_and_batch_size_change_no_score(inspector):
    images = [weave(number, *shape) for number, shape in enumerate(SHAPES, start=10)]
    alone = [next(inspector.score(image)).score for image in images]
    for size in (2, 4, 6):
        found = list(inspector.score(images, batch_size=size))
        assert [result.score for result in found] == pytest.approx(alone, abs=1e-5)
        backwards = inspector.score(images[::-1], batch_size=size)
        assert [result.score for result in backwards] == pytest.approx(alone[::-1], abs=1e-5)
        assert [(result.height, result.width) for result in found] == SHAPES
        shapes = [inspector.map_size(*shape) for shape in SHAPES]
        assert [result.probability.shape for result in found] == shapes


def test_an_unreadable_image_among_others_keeps_its_place(inspector, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"")
    images = [weave(1, 60, 120), broken, weave(2, 120, 60), weave(3, 60, 120)]
    found = list(inspector.score(images, batch_size=4))
    assert [result.error is None for result in found] == [True, False, True, True]
    assert [result.width for result in found] == [120, None, 60, 120]


def test_square_images_are_scored_as_with_a_square_input(inspector):
    (result,) = inspector.score(weave(4, 100, 100))
    assert result.probability.shape == (SIDE, SIDE)


def test_an_interrupted_run_ends_byte_for_byte_like_an_undisturbed_one(inspector, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for number, (height, width) in enumerate(SHAPES * 2):
        save_image(folder / f"{number:02}.png", seed=number, width=width, height=height)

    def run(out, stop_after=None, **options):
        refs = find_images([str(folder)], exclude=out)
        outputs = Outputs(heatmaps="png", save_maps=True)
        settings = score_settings(inspector, outputs, prompt="weave", prompt_rules=None)
        scored = []

        def observe(result):
            scored.append(result)
            if len(scored) == stop_after:
                raise KeyboardInterrupt

        claimed = RunFolder.claim(out, SCORE, settings, {}, **options)
        pace = Pace(4, 1)
        run_score(inspector, refs, lambda path: "weave", claimed, outputs, pace, observe, print)

    run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", stop_after=6)
    run(tmp_path / "parts", resume=True)

    whole = sorted(path for path in (tmp_path / "whole").rglob("*") if path.is_file())
    pictures = [path for path in whole if path.suffix in (".csv", ".png", ".npy")]
    assert len(pictures) == 1 + 2 * len(SHAPES) * 2
    for path in pictures:
        other = tmp_path / "parts" / path.relative_to(tmp_path / "whole")
        assert other.read_bytes() == path.read_bytes(), path
    maps = sorted((tmp_path / "whole").rglob("*.npy"))
    assert [np.load(path).shape for path in maps] == [
        inspector.map_size(*shape) for shape in SHAPES * 2
    ]
    overlays = sorted((tmp_path / "whole" / "heatmaps").rglob("*.png"))
    assert [Image.open(path).size[::-1] for path in overlays] == SHAPES * 2


def test_settings_say_that_the_ratio_is_kept_and_square_profiles_are_refused(inspector, standin):
    assert inspector.settings["aspect_ratio"] == "kept"
    found = inspector.references
    made = calibrated(found, found.scores, "weave", inspector.settings, "jackknife+", 0.4)
    settings = {key: value for key, value in made.settings.items() if key != "aspect_ratio"}
    squeezed = dataclasses.replace(made, settings=settings)
    with pytest.raises(UsageError, match="its aspect ratio is not kept, but here it is kept"):
        Inspector.load(profile=squeezed, device="cpu")

    adapted = Inspector.load(
        str(standin.model), backbone_weights=standin.backbone, image_size=70, device="cpu",
        references=[weave(0, 40, 80), weave(1, 40, 80)],
    )  # fmt: skip
    assert "aspect_ratio" not in adapted.settings
    assert next(adapted.score(weave(2, 40, 80))).probability.shape == (70, 70)
