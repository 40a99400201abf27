from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from moeclip_cli.inspection.compact_map import CompactMap

MULTIPLES = (np.arange(201) / 200).tolist()
OWN = [0.557449185848236, 0.5439, 0.5, 0.0, 1.0, 0.0001, 0.9999, float(np.nextafter(0.35, 1))]


def values(threshold):
    """A map with random values, all marks, and their neighbours in float32."""
    found = np.random.default_rng(0).random((60, 90), np.float32)
    marks = np.float32([*MULTIPLES, threshold])
    near = [marks, np.nextafter(marks, np.float32(0)), np.nextafter(marks, np.float32(1))]
    found.flat[: 3 * len(marks)] = np.concatenate(near)
    return found


@pytest.mark.parametrize("own", OWN)
def test_comparison_with_a_mark_is_exact(own):
    probability = values(own)
    kept = CompactMap.from_png(CompactMap.of(probability, own).to_png())
    for threshold in [own, *MULTIPLES]:
        assert kept.nearest_mark(threshold) == threshold
        np.testing.assert_array_equal(kept.reaches(threshold), probability >= threshold)


def test_opencv_reads_the_levels():
    kept = CompactMap.of(values(0.5574), 0.5574)
    content = np.frombuffer(kept.to_png(), np.uint8)
    np.testing.assert_array_equal(cv2.imdecode(content, cv2.IMREAD_GRAYSCALE), kept.levels)


def test_a_map_without_a_palette_as_of_earlier_versions_is_read():
    info = PngInfo()
    info.add_text("threshold", "0.5")
    kept = CompactMap.from_png(grey_png(7, pnginfo=info))
    assert (kept.levels.tolist(), kept.threshold) == ([[7] * 4] * 4, 0.5)


def test_another_threshold_is_compared_at_the_nearest_mark():
    probability = values(0.5574)
    kept = CompactMap.of(probability, 0.5574)
    for threshold, mark in [(0.5439, 0.545), (0.5571, 0.5574), (0.5554, 0.555), (0.9999, 1.0)]:
        assert kept.nearest_mark(threshold) == mark
        np.testing.assert_array_equal(kept.reaches(threshold), probability >= mark)


@pytest.mark.parametrize("own", OWN)
def test_values_are_within_half_a_step(own):
    probability = values(own)
    assert (
        np.abs(CompactMap.of(probability, own).values(probability.max()) - probability).max()
        < 0.00251
    )


def test_a_smooth_map_takes_few_bytes(defect):
    large = np.asarray(Image.fromarray(defect).resize((518, 518), Image.Resampling.BICUBIC))
    assert len(CompactMap.of(large.clip(0, 1), 0.5).to_png()) < 60_000


def grey_png(value=0, **text):
    stream = io.BytesIO()
    Image.new("L", (4, 4), value).save(stream, "PNG", **text)
    return stream.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"", b"text", grey_png(), grey_png(255), CompactMap.of(values(0.5), 0.5).to_png()[:200]],
    ids=["empty", "text", "other picture", "other levels", "truncated"],
)
def test_anything_else_is_refused(content):
    with pytest.raises(ValueError, match="not a compact map"):
        CompactMap.from_png(content)
