from __future__ import annotations

import json
import pickle

import numpy as np

from moeclip_cli.inspection.result import COLUMNS, Region, Result


def make_result(**changes):
    values = {
        "path": "a.png",
        "prompt": "bolt",
        "model": "moeclip-mini",
        "score": 0.75,
        "verdict": "anomalous",
        "threshold": 0.5,
        "map_max": 3.0,
        "image_score": 0.5,
        "area_fraction": 0.2,
        "regions": (Region(1, 2, 5, 9, 0.15, 0.9), Region(0, 0, 1, 1, 0.05, 0.6)),
        "width": 30,
        "height": 20,
        "probability": np.linspace(0, 1, 16, dtype=np.float32).reshape(4, 4),
    }
    return Result(**(values | changes))


def test_columns_are_the_documented_ones_in_order():
    assert ", ".join(COLUMNS) == (
        "path, score, verdict, threshold, map_max, image_score, peak, peak_x, peak_y, map_part, "
        "image_part, zero_shot, references, percentile, area_fraction, regions, x0, y0, x1, y1, "
        "width, height, prompt, model, error, tiles, tile_x0, tile_y0, tile_x1, tile_y1, "
        "shift_x, shift_y, rotation, scale"
    )


def test_row_has_the_largest_regions_box():
    row = make_result().row()
    assert (row.regions, row.x0, row.y0, row.x1, row.y1) == (2, 1, 2, 5, 9)
    assert make_result(regions=()).row().x0 is None


def test_failed_image_has_only_its_error():
    row = make_result(error="The file is empty.").row()
    filled = [name for name in COLUMNS if getattr(row, name) is not None]
    assert filled == ["path", "prompt", "model", "error"]


def test_anomaly_map_has_the_original_size():
    anomaly_map = make_result().anomaly_map
    assert anomaly_map.shape == (20, 30)
    assert anomaly_map.dtype == np.float32
    assert Result("a.png", "bolt", "m", error="no").anomaly_map is None


def test_dictionary_is_json_with_every_box():
    content = json.loads(json.dumps(make_result().to_dict()))
    assert content["path"] == "a.png"
    assert [box["x1"] for box in content["boxes"]] == [5, 1]
    assert content["schema"] == 1


def test_results_that_went_through_another_process_can_be_compared():
    copy = pickle.loads(pickle.dumps(make_result()))
    assert copy == make_result()
    assert make_result(score=0.7) != make_result()
