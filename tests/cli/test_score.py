"""`moeclip score`: rows, tables, messages and exit codes."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from PIL import Image
from support.score_rows import OUT, read_rows

from moeclip_cli.inspection.result import COLUMNS


def test_a_folder_gives_one_row_per_image_in_order(score, parts):
    result = score("parts/", "--prompt", "metal bracket")
    assert result.exit_code == 0, result.stderr
    rows = read_rows()
    assert list(rows[0]) == list(COLUMNS)
    assert [row["path"] for row in rows] == [
        "parts/d.png",
        "parts/left/a.png",
        "parts/left/b.jpg",
        "parts/right/a.png",
        "parts/right/c.bmp",
    ]
    for row in rows:
        assert 0 <= float(row["score"]) <= 1
        assert row["verdict"] in ("normal", "anomalous")
        assert row["prompt"] == "metal bracket"
        assert row["model"] == "standin.pth"
        assert row["error"] == ""
        with Image.open(row["path"]) as image:
            assert (int(row["width"]), int(row["height"])) == image.size


def test_terminal_output_without_a_terminal_is_plain(score, parts):
    result = score("parts")
    assert "\x1b" not in result.stdout + result.stderr
    assert "5 images: " in result.stdout
    assert "0.500 (not calibrated" in result.stdout
    assert " in parts\n" in result.stdout
    assert "  left/a.png" in result.stdout
    assert "images/s" in result.stderr
    assert "cpu" in result.stderr


def test_quiet_says_nothing(score, parts):
    result = score("parts", "--quiet")
    assert (result.stdout, result.stderr) == ("", "")
    assert len(read_rows()) == 5


def test_quiet_still_counts_what_could_not_be_read(score, parts):
    (parts / "broken.png").write_text("not an image")
    result = score("parts", "--quiet")
    assert result.exit_code == 3
    assert result.stdout == ""
    assert result.stderr == (
        "Warning: 1 image could not be read; moeclip-out says which and why.\n"
    )


def test_json_is_one_object_per_image_on_standard_output(score, parts):
    result = score("parts", "--json")
    objects = [json.loads(line) for line in result.stdout.splitlines()]
    assert [item["path"] for item in objects] == [row["path"] for row in read_rows()]
    assert set(COLUMNS) < set(objects[0])


def test_scores_do_not_depend_on_batch_size_or_workers(score, parts):
    score("parts", "--batch-size", "1", "--workers", "0", "--out", "one")
    score("parts", "--batch-size", "32", "--workers", "4", "--out", "many")
    score("parts/right/a.png", "--out", "alone")
    columns = ("score", "map_max", "image_score", "area_fraction")
    for one, many in zip(read_rows(Path("one")), read_rows(Path("many")), strict=True):
        for column in columns:
            assert float(one[column]) == pytest.approx(float(many[column]), abs=1e-5)
    (alone,) = read_rows(Path("alone"))
    for column in columns:
        other = float(read_rows(Path("many"))[3][column])
        assert float(alone[column]) == pytest.approx(other, abs=1e-5)


def test_bad_files_get_a_row_and_the_run_goes_on(score, parts):
    (parts / "left" / "empty.png").touch()
    (parts / "left" / "text.jpg").write_text("not a picture")
    (parts / "cut.png").write_bytes((parts / "d.png").read_bytes()[:500])
    (parts / "notes.txt").write_text("left out")
    result = score("parts", "--verbose")
    assert result.exit_code == 3
    assert "Traceback" not in result.stderr
    assert "notes.txt" in result.stderr
    rows = {row["path"]: row for row in read_rows()}
    assert len(rows) == 8
    for name in ("parts/left/empty.png", "parts/left/text.jpg", "parts/cut.png"):
        assert rows[name]["error"].endswith(".")
        assert rows[name]["score"] == ""
        assert name in result.stderr
    assert rows["parts/d.png"]["score"] != ""


def test_photos_and_videos_of_other_kinds_do_not_vanish(score, parts):
    for name in ("IMG_1.CR2", "clip.mp4", "scan.dcm"):
        (parts / name).write_bytes(b"unknown content")
    result = score("parts")
    assert result.exit_code == 3
    errors = {row["path"]: row["error"] for row in read_rows() if row["error"]}
    assert "This is a raw photo" in errors["parts/IMG_1.CR2"]
    assert "This is a video" in errors["parts/clip.mp4"]
    assert "The DICOM file is corrupt" in errors["parts/scan.dcm"]
    assert "8 images: " in result.stdout


def test_fail_on_anomaly(score, parts):
    assert score("parts", "--threshold", "0").exit_code == 0
    assert score("parts", "-t", "0", "--fail-on-anomaly", "--overwrite").exit_code == 1
    assert score("parts", "-t", "1", "--fail-on-anomaly", "--overwrite").exit_code == 0


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["nowhere"], 2, "nowhere"),
        (["empty"], 2, "No images found"),
        (["parts", "--treshold", "1"], 2, "--threshold"),
        (["parts", "--threshold", "2"], 2, "between 0 and 1"),
        (["parts", "--device", "gpu"], 2, "auto, cpu, cuda"),
        (["parts", "--prompt", " "], 2, "prompt is empty"),
        (["parts", "--prompt", "-o", "parts"], 2, '--prompt needs a name, such as "metal'),
        (["parts", "--prompts", "rules.toml"], 2, "rules.toml"),
        (["parts", "--image-size", "71"], 4, "multiple of the patch size 14"),
        (["parts", "--model", "moeclip-min"], 4, "moeclip-mini"),
        (["parts", "--model", "parts/d.png"], 4, "d.png"),
        (["parts", "--out", "o" * 5000], 2, "too long"),
    ],
)
def test_wrong_use_is_one_sentence_and_leaves_nothing(score, parts, args, code, message):
    Path("empty").mkdir()
    result = score(*args)
    assert result.exit_code == code, result.stderr
    assert message in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr
    assert not OUT.exists()


@pytest.mark.parametrize("table_format", ["jsonl", "parquet"])
def test_other_formats_have_the_same_fields(score, parts, table_format):
    assert score("parts", "--format", table_format).exit_code == 0
    path = OUT / f"results.{table_format}"
    if table_format == "jsonl":
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    else:
        import pyarrow.parquet

        rows = pyarrow.parquet.read_table(path).to_pylist()
    assert next(row["path"] for row in rows) == "parts/d.png"
    assert list(rows[0]) == list(COLUMNS)
    assert len(rows) == 5


@pytest.mark.parametrize(("form", "package"), [("parquet", "pyarrow"), ("xlsx", "openpyxl")])
def test_a_format_without_its_package_leaves_no_folder(score, parts, monkeypatch, form, package):
    monkeypatch.setitem(sys.modules, package, None)
    refused = score("parts", "--format", form)
    assert refused.exit_code == 2
    assert f"{package} is not installed; install it with: pip install" in refused.stderr
    assert not OUT.exists()


def test_a_table_for_german_excel_is_resumed_compared_and_verified(score, parts, moeclip):
    options = ("parts", "--csv-dialect", "excel-de")
    assert score(*options).exit_code == 0
    before = (OUT / "results.csv").read_bytes()
    lines = before.decode("utf-8-sig").splitlines()
    assert len(lines) == 6
    assert re.search(r";0,\d+;(normal|anomalous);", lines[1])
    assert score(*options, "--resume").exit_code == 0
    assert (OUT / "results.csv").read_bytes() == before
    assert moeclip("verify", OUT).exit_code == 0
    assert score("parts", "--out", "plain").exit_code == 0
    assert moeclip("compare", OUT, "plain", "--fail-on-flips").exit_code == 0
    result = score("parts", "--resume")
    assert result.exit_code == 2
    assert "csv-excel-de" in result.stderr


def test_a_dialect_is_for_csv_only(score, parts):
    result = score("parts", "--csv-dialect", "excel", "--format", "jsonl")
    assert result.exit_code == 2
    assert "--csv-dialect is for CSV tables" in result.stderr


def test_list_of_paths_on_standard_input(score, parts):
    result = score("-", input="parts/d.png\nparts/gone.png\n")
    assert result.exit_code == 3
    assert [row["path"] for row in read_rows()] == ["parts/d.png", "parts/gone.png"]
    assert read_rows()[1]["error"]


def test_prompts_by_folder(score, parts):
    Path("rules.toml").write_text('"left/" = "bolt"\n"right/*.bmp" = "nut"\n')
    score("parts", "--prompts", "rules.toml", "--prompt", "part")
    assert [row["prompt"] for row in read_rows()] == ["part", "bolt", "bolt", "part", "nut"]


def test_run_card_says_what_made_the_numbers(score, parts):
    score("parts", "--prompt", "bolt")
    card = json.loads((OUT / "run.json").read_text())
    assert card["state"] == "finished"
    assert card["settings"]["prompt"] == "bolt"
    assert len(card["settings"]["model_digest"]) == 64
    assert len(card["settings"]["backbone_digest"]) == 64
    assert card["summary"]["images"] == 5
    assert {"torch", "moeclip", "device", "command"} <= set(card["environment"])


@pytest.mark.parametrize("command", ["score", "heatmap"])
def test_an_output_path_that_is_too_long_is_one_sentence(moeclip, standin, parts, command):
    result = moeclip(command, *standin.options, "parts", "--out", "x" * 5000)
    assert result.exit_code == 2
    assert "the path is too long; choose a shorter --out" in " ".join(result.stderr.split())
