"""Regions as LabelMe, CSV and COCO."""

from __future__ import annotations

import csv
import io
import json

import cv2
import numpy as np
import pytest

from moeclip_cli.inspection.result import Result
from moeclip_cli.reports.region_files import COLUMNS, coco_json, labelme, regions_csv


@pytest.fixture
def contents():
    """The texts of three images: two regions, none, and one; a path that is a formula."""
    maps = [np.zeros((60, 80), np.float32) for _ in range(3)]
    maps[0][10:20, 10:40] = 0.8
    maps[0][40:44, 60:64] = 0.7
    maps[2][5:9, 5:9] = 0.9
    results = [
        Result(path, "part", "m", score=0.9, verdict="anomalous", threshold=0.5, width=160,
               height=120, probability=values)
        for path, values in zip(["a.png", "b.png", "=c.png"], maps, strict=True)
    ]  # fmt: skip
    return [
        json.loads(labelme(result, result.measure(), f"../{result.path}")) for result in results
    ]


def named(contents):
    return ((content, f"{number}.png") for number, content in enumerate(contents))


def test_labelme_has_polygons_on_the_image(contents):
    first = contents[0]
    assert first["imagePath"] == "../a.png"
    assert (first["imageWidth"], first["imageHeight"], first["imageData"]) == (160, 120, None)
    assert [shape["shape_type"] for shape in first["shapes"]] == ["polygon", "polygon"]
    points = np.array(first["shapes"][0]["points"])
    assert cv2.contourArea(points.astype(np.float32)) == pytest.approx(60 * 20, rel=0.1)
    assert contents[1]["shapes"] == []


def test_the_table_has_a_line_for_each_region_with_millimetres_if_known(contents):
    plain = b"".join(regions_csv(named(contents), None)).decode()
    rows = list(csv.DictReader(io.StringIO(plain)))
    assert tuple(rows[0]) == COLUMNS
    assert [(row["path"], row["region"]) for row in rows] == [
        ("a.png", "1"), ("a.png", "2"), ("'=c.png", "1"),
    ]  # fmt: skip
    assert (rows[0]["length"], rows[0]["width"], rows[0]["area"]) == ("60.0", "20.0", "1200.0")
    assert rows[0]["length_mm"] == rows[0]["area_mm2"] == ""
    assert plain.count("\r\n") == 4

    scaled = list(
        csv.DictReader(io.StringIO(b"".join(regions_csv(named(contents), 0.05)).decode()))
    )
    assert float(scaled[0]["length_mm"]) == pytest.approx(3)
    assert float(scaled[0]["width_mm"]) == pytest.approx(1)
    assert float(scaled[0]["area_mm2"]) == pytest.approx(3)


def test_coco_is_read_by_its_own_tools(contents, tmp_path):
    coco = pytest.importorskip("pycocotools.coco")
    (tmp_path / "coco.json").write_bytes(b"".join(coco_json(lambda: contents)))
    found = coco.COCO(str(tmp_path / "coco.json"))
    assert [image["file_name"] for image in found.loadImgs(found.getImgIds())] == [
        "a.png", "b.png", "=c.png",
    ]  # fmt: skip
    assert [len(found.getAnnIds(imgIds=number)) for number in (1, 2, 3)] == [2, 0, 1]
    for annotation in found.loadAnns(found.getAnnIds()):
        mask = found.annToMask(annotation)
        assert mask.shape == (120, 160)
        assert mask.sum() == pytest.approx(annotation["area"], rel=0.25)
        x, y, width, height = annotation["bbox"]
        assert mask[y : y + height, x : x + width].sum() == mask.sum()


def test_coco_of_a_run_without_images_is_valid():
    content = json.loads(b"".join(coco_json(lambda: [])))
    assert content["images"] == content["annotations"] == []
    assert [category["name"] for category in content["categories"]] == ["anomaly"]
