"""The authors' recorded numbers: percent, 2 decimals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from moeclip_cli.errors import ModelError
from moeclip_cli.evaluation.image_metrics import ImageMetrics
from moeclip_cli.evaluation.protocol import PaperEvaluation, fuse, mean_of_defined

DATA = Path(__file__).parents[1] / "data"
EXPECTED = json.loads((DATA / "metrics.json").read_text())


@pytest.fixture(scope="module")
def recorded():
    return load_file(DATA / "metrics.safetensors")


def collect(recorded, name, indices):
    evaluation = PaperEvaluation(EXPECTED[name]["domain"].lower())
    columns = (recorded[f"{name}.{key}"] for key in ("maps", "image_scores", "labels", "masks"))
    images = list(zip(*columns, strict=True))
    for index in indices:
        anomaly_map, image_score, label, mask = images[index]
        evaluation.update(anomaly_map, image_score, label, mask[0])
    return evaluation


@pytest.mark.parametrize("name", EXPECTED)
def test_metrics_are_the_recorded_ones(recorded, name):
    metrics = collect(recorded, name, range(len(recorded[f"{name}.labels"]))).compute()
    found = {
        "pixel AUC": metrics.pixel.auroc,
        "pixel AP": metrics.pixel.average_precision,
        "image AUC": metrics.image.auroc,
        "image AP": metrics.image.average_precision,
    }
    for key, value in found.items():
        # The authors print 0 where nothing is defined.
        assert round(100 * (value or 0.0), 2) == pytest.approx(EXPECTED[name][key])


def test_images_of_one_label_have_no_image_metrics(recorded):
    evaluation = collect(recorded, "medical_only_abnormal", range(8))
    assert evaluation.compute().image == ImageMetrics(None, None, None)


@pytest.mark.parametrize("name", ["industrial_wide", "medical_wide"])
def test_processes_together_give_the_numbers_of_one(recorded, name):
    count = len(recorded[f"{name}.labels"])
    together = collect(recorded, name, range(0, count, 2))
    together.merge(collect(recorded, name, range(1, count, 2)))
    one, both = collect(recorded, name, range(count)).compute(), together.compute()
    assert both.image == one.image
    assert both.pixel.auroc == pytest.approx(one.pixel.auroc, abs=1e-12)
    assert both.pixel.pro == pytest.approx(one.pixel.pro, abs=1e-12)


def test_without_masks_there_are_image_metrics_only():
    evaluation = PaperEvaluation("industrial")
    evaluation.update(np.array([[0.0, 5.0]]), 0.9, True, None)
    evaluation.update(np.array([[-1.0, 2.0]]), 0.2, False, None)
    metrics = evaluation.compute()
    assert metrics.image.auroc == 1
    assert metrics.pixel.auroc is None
    assert metrics.pixel.pro is None
    assert not evaluation.pixel_ranking().defined


def test_maps_without_a_mask_still_set_the_range():
    evaluation = PaperEvaluation("medical")
    evaluation.update(np.array([[0.0, 3.0]]), 0.5, True, np.array([[0, 1]]))
    evaluation.update(np.array([[-1.0, 1.0]]), 0.5, False, None)
    assert evaluation.fused_scores().tolist() == [1.0, 0.5]


@pytest.mark.parametrize(
    ("peaks", "image_scores", "lowest", "domain", "expected"),
    [
        # All in [0, 1]: as they are.
        ([0.2, 0.8], [0.4, 0.6], 0.0, "industrial", [0.3, 0.7]),
        ([0.2, 0.8], [0.4, 0.6], 0.0, "medical", [0.2, 0.8]),
        # Maps leave it, image scores do not, and the other way round.
        ([3.0, 7.0], [0.4, 0.6], -1.0, "industrial", [0.45, 0.8]),
        ([0.2, 0.8], [-1.0, 1.0], 0.0, "industrial", [0.1, 0.9]),
        ([3.0, 7.0], [0.4, 0.6], -1.0, "medical", [0.5, 1.0]),
        # Nothing to stretch.
        ([2.0, 2.0], [3.0, 3.0], 2.0, "medical", [2.0, 2.0]),
    ],
)
def test_fused_scores(peaks, image_scores, lowest, domain, expected):
    np.testing.assert_allclose(fuse(peaks, image_scores, lowest, domain), expected)


def test_nothing_taken_in_has_no_metrics():
    metrics = PaperEvaluation("industrial").compute()
    assert metrics.image.auroc is None
    assert metrics.pixel.auroc is None


def test_an_image_score_that_is_not_a_number_is_refused():
    evaluation = PaperEvaluation("industrial")
    evaluation.update(np.zeros((2, 2)), float("nan"), True, None)
    with pytest.raises(ModelError, match="image score"):
        evaluation.compute()


def test_the_mean_leaves_out_what_is_not_defined():
    assert mean_of_defined([0.5, None, 1.0]) == 0.75
    assert mean_of_defined([None, None]) is None
    assert mean_of_defined([]) is None
