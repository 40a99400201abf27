"""The paper's protocol against recorded results of the authors' code, percent to 2 decimals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load
from support.golden import unpacked

from moeclip_cli.errors import ModelError
from moeclip_cli.evaluation.image_metrics import ImageMetrics
from moeclip_cli.evaluation.paper import PaperEvaluation, fuse

DATA = Path(__file__).parents[1] / "data"
EXPECTED = json.loads((DATA / "metrics.json").read_text())


@pytest.fixture(scope="module")
def recorded():
    return load(unpacked("metrics"))


def collect(recorded, name, indices):
    evaluation = PaperEvaluation(EXPECTED[name]["domain"].lower())
    columns = (recorded[f"{name}.{key}"] for key in ("maps", "image_scores", "labels", "masks"))
    images = list(zip(*columns, strict=True))
    for index in indices:
        anomaly_map, image_score, label, mask = images[index]
        evaluation.update(anomaly_map, image_score, label, mask[0])
    return evaluation


@pytest.mark.parametrize("name", EXPECTED)
def test_metrics_equal_the_recorded_ones(recorded, name):
    metrics = collect(recorded, name, range(len(recorded[f"{name}.labels"]))).compute()
    computed = {
        "pixel AUC": metrics.pixel.auroc,
        "pixel AP": metrics.pixel.average_precision,
        "image AUC": metrics.image.auroc,
        "image AP": metrics.image.average_precision,
    }
    for key, value in computed.items():
        # The authors print 0 for an undefined metric.
        assert round(100 * (value or 0.0), 2) == pytest.approx(EXPECTED[name][key])


def test_image_metrics_are_undefined_for_a_single_label(recorded):
    evaluation = collect(recorded, "medical_only_abnormal", range(8))
    assert evaluation.compute().image == ImageMetrics(None, None, None)


@pytest.mark.parametrize("name", ["industrial_wide", "medical_wide"])
def test_merged_parts_give_the_metrics_of_the_whole(recorded, name):
    count = len(recorded[f"{name}.labels"])
    together = collect(recorded, name, range(0, count, 2))
    together.merge(collect(recorded, name, range(1, count, 2)))
    one, both = collect(recorded, name, range(count)).compute(), together.compute()
    assert both.image == one.image
    assert both.pixel.auroc == pytest.approx(one.pixel.auroc, abs=1e-12)
    assert both.pixel.pro == pytest.approx(one.pixel.pro, abs=1e-12)


def test_pixel_metrics_are_undefined_without_masks():
    evaluation = PaperEvaluation("industrial")
    evaluation.update(np.array([[0.0, 5.0]]), 0.9, True, None)
    evaluation.update(np.array([[-1.0, 2.0]]), 0.2, False, None)
    metrics = evaluation.compute()
    assert metrics.image.auroc == 1
    assert metrics.pixel.auroc is None
    assert metrics.pixel.pro is None
    assert not evaluation.pixel_ranking().defined


def test_maps_without_a_mask_count_in_the_normalisation_range():
    evaluation = PaperEvaluation("medical")
    evaluation.update(np.array([[0.0, 3.0]]), 0.5, True, np.array([[0, 1]]))
    evaluation.update(np.array([[-1.0, 1.0]]), 0.5, False, None)
    assert evaluation.fused_scores().tolist() == [1.0, 0.5]


@pytest.mark.parametrize(
    ("peaks", "image_scores", "lowest", "domain", "expected"),
    [
        # All values in [0, 1]: unchanged.
        ([0.2, 0.8], [0.4, 0.6], 0.0, "industrial", [0.3, 0.7]),
        ([0.2, 0.8], [0.4, 0.6], 0.0, "medical", [0.2, 0.8]),
        # Only the maps leave [0, 1], or only the image scores.
        ([3.0, 7.0], [0.4, 0.6], -1.0, "industrial", [0.45, 0.8]),
        ([0.2, 0.8], [-1.0, 1.0], 0.0, "industrial", [0.1, 0.9]),
        ([3.0, 7.0], [0.4, 0.6], -1.0, "medical", [0.5, 1.0]),
        # All maxima are equal: unchanged.
        ([2.0, 2.0], [3.0, 3.0], 2.0, "medical", [2.0, 2.0]),
    ],
)
def test_fused_scores(peaks, image_scores, lowest, domain, expected):
    np.testing.assert_allclose(fuse(peaks, image_scores, lowest, domain), expected)


def test_metrics_are_undefined_without_images():
    metrics = PaperEvaluation("industrial").compute()
    assert metrics.image.auroc is None
    assert metrics.pixel.auroc is None


def test_an_image_score_that_is_not_finite_is_rejected():
    evaluation = PaperEvaluation("industrial")
    evaluation.update(np.zeros((2, 2)), float("nan"), True, None)
    with pytest.raises(ModelError, match="image score"):
        evaluation.compute()
