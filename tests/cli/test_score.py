from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.samples import save_image

from moeclip_cli.inspection.result import COLUMNS

OUT = Path("moeclip-out")


def read_rows(folder=OUT):
    with (folder / "results.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def assert_same_rows(one, other):
    """Equal, but for the rounding that differs between batches of different sizes."""
    for row, reference in zip(read_rows(one), read_rows(other), strict=True):
        for column in COLUMNS:
            if "." in row[column] and column not in ("path", "model", "error"):
                assert float(row[column]) == pytest.approx(float(reference[column]), abs=1e-5)
            else:
                assert row[column] == reference[column]


@pytest.fixture
def score(moeclip, standin):
    def run(*args, **kwargs):
        return moeclip("score", *standin.options, *args, **kwargs)

    return run


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


def test_a_second_run_needs_a_decision(score, parts):
    score("parts", "--limit", "2")
    before = (OUT / "results.csv").read_bytes()
    refused = score("parts")
    assert refused.exit_code == 2
    for option in ("--resume", "--overwrite", "--out"):
        assert option in refused.stderr
    assert (OUT / "results.csv").read_bytes() == before
    assert score("parts", "--overwrite").exit_code == 0
    assert len(read_rows()) == 5


def test_overwrite_removes_the_pictures_of_the_earlier_run(score, parts):
    score("parts", "--heatmaps")
    (parts / "d.png").unlink()
    score("parts", "--heatmaps", "--overwrite")
    assert not (OUT / "heatmaps" / "d.png").exists()
    assert (OUT / "heatmaps" / "left" / "a.png").exists()


def test_a_strangers_folder_is_left_alone(score, parts):
    mine = Path("mine")
    (mine / "heatmaps").mkdir(parents=True)
    (mine / "heatmaps" / "holiday.png").write_text("precious")
    assert score("parts", "--out", mine).exit_code == 2
    assert score("parts", "--heatmaps", "--out", mine, "--overwrite").exit_code == 0
    assert (mine / "heatmaps" / "holiday.png").read_text() == "precious"


def test_results_are_not_scored_again_by_the_next_run(score, parts):
    score("parts", "--heatmaps", "--out", "parts/results")
    assert score("parts", "--out", "elsewhere").exit_code == 0
    assert len(read_rows(Path("elsewhere"))) == 5


def test_progress_of_a_resumed_run_starts_at_the_images_that_are_done(score, parts, monkeypatch):
    monkeypatch.setattr("moeclip_cli.cli.progress.LINE_EVERY_S", 0)
    score("parts", "--limit", "3", "--batch-size", "1")
    result = score("parts", "--batch-size", "1", "--resume")
    found = re.findall(r"Scoring: (\d) of 5", result.stderr)
    assert found == ["4", "5"]


def test_resume_scores_what_is_missing(score, parts):
    score("parts", "--limit", "2", "--out", "whole")
    score("parts", "--out", "whole", "--resume")
    assert len(read_rows(Path("whole"))) == 5
    score("parts")
    assert_same_rows(OUT, Path("whole"))
    save_image(parts / "z.png", seed=9)
    result = score("parts", "--resume")
    assert "6 images: " in result.stdout
    assert [row["path"] for row in read_rows()][:2] == ["parts/d.png", "parts/z.png"]


def test_resume_refuses_other_settings_and_names_them(score, parts):
    score("parts")
    result = score("parts", "--resume", "--threshold", "0.3")
    assert result.exit_code == 2
    assert "threshold was 0.5, now it is 0.3" in result.stderr
    assert score("parts", "--resume", "--batch-size", "2").exit_code == 0


def test_resume_without_an_earlier_run_starts_one(score, parts):
    assert score("parts", "--resume").exit_code == 0
    assert len(read_rows()) == 5


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


def test_heatmaps_mirror_the_tree_at_the_original_size(score, parts):
    assert score("parts", "--heatmaps").exit_code == 0
    written = sorted(
        path.relative_to(OUT / "heatmaps").as_posix()
        for path in (OUT / "heatmaps").rglob("*")
        if path.is_file()
    )
    assert len(written) == 5
    assert "left/a.png" in written
    for original, overlay in (("left/a.png", "left/a.png"), ("left/b.jpg", "left/b.jpg.png")):
        with Image.open(parts / original) as one, Image.open(OUT / "heatmaps" / overlay) as other:
            assert one.size == other.size


@pytest.fixture
def photographs(tmp_path):
    """A folder with one photograph of more than 1 megapixel and a small one."""
    (tmp_path / "photos").mkdir()
    save_image(tmp_path / "photos" / "large.jpg", width=1001, height=1000)
    save_image(tmp_path / "photos" / "small.jpg", width=200, height=100)
    return tmp_path / "photos"


def overlays(folder=OUT):
    return sorted(path.name for path in (folder / "heatmaps").rglob("*.*"))


def test_overlays_of_large_photographs_are_jpeg(score, moeclip, photographs):
    assert score("photos", "--heatmaps", "--report").exit_code == 0
    assert overlays() == ["large.jpg", "small.jpg.png"]
    assert 'data-link="heatmaps/large.jpg"' in (OUT / "report.html").read_text()
    assert moeclip("verify", OUT).exit_code == 0
    before = (OUT / "results.csv").read_bytes()
    (OUT / "heatmaps" / "large.jpg").unlink()
    assert moeclip("verify", OUT).exit_code == 5
    assert score("photos", "--heatmaps", "--resume").exit_code == 0
    assert overlays() == ["large.jpg", "small.jpg.png"]
    assert (OUT / "results.csv").read_bytes() == before
    assert score("photos", "--heatmaps", "--picture-format", "png", "--out", "p").exit_code == 0
    assert overlays(Path("p")) == ["large.jpg.png", "small.jpg.png"]


def test_an_overlay_in_the_format_of_an_earlier_version_is_replaced(score, moeclip, photographs):
    assert score("photos", "--heatmaps", "--keep-maps").exit_code == 0
    (OUT / "heatmaps" / "large.jpg").rename(OUT / "heatmaps" / "large.jpg.png")
    assert moeclip("recut", OUT, "--threshold", "0.4").exit_code == 0
    assert overlays() == ["large.jpg", "small.jpg.png"]


def test_overlays_of_anomalous_images_only(score, moeclip, parts):
    assert score("parts").exit_code == 0
    rows = sorted(read_rows(), key=lambda row: float(row["score"]))
    threshold = rows[3]["score"]  # two of five images reach it
    args = ("parts", "--heatmaps", "anomalous", "--threshold", threshold, "--out", "some")
    assert score(*args).exit_code == 0
    verdicts = {row["path"]: row["verdict"] for row in read_rows(Path("some"))}
    assert 1 <= list(verdicts.values()).count("anomalous") <= 2
    drawn = list(Path("some/heatmaps").rglob("*.png"))
    assert len(drawn) == list(verdicts.values()).count("anomalous")
    assert moeclip("verify", "some").exit_code == 0
    again = score(*args, "--resume")
    assert "0 images in" in again.stderr
    drawn[0].unlink()
    assert moeclip("verify", "some").exit_code == 5
    assert score(*args, "--resume").exit_code == 0
    assert drawn[0].is_file()


@pytest.mark.parametrize(
    ("args", "count"),
    [
        (("--heatmaps", "parts"), 5),
        (("-qH", "parts"), 5),
        (("-H", "all", "parts"), 5),
        (("--heatmaps=anomalous", "-t", "1", "parts"), 0),
        (("-H", "anomalous", "-t", "1", "parts"), 0),
        (("parts", "--", "-H"), None),
    ],
)
def test_the_value_of_heatmaps_may_be_left_out(score, parts, args, count):
    result = score(*args)
    if count is None:
        assert result.exit_code == 2
        assert "File or folder not found: -H" in result.stderr
    else:
        assert result.exit_code == 0, result.stderr
        assert len(list((OUT / "heatmaps").rglob("*.png"))) == count


@pytest.mark.parametrize(("value", "count"), [("true", 5), ("false", 0), ('"anomalous"', 0)])
def test_heatmaps_in_a_settings_file(score, parts, value, count):
    Path("moeclip.toml").write_text(f"threshold = 1\n[score]\nheatmaps = {value}\n")
    assert score("parts").exit_code == 0
    assert len(list((OUT / "heatmaps").rglob("*.png"))) == count


def test_heatmaps_of_unknown_images_are_refused(score, parts):
    result = score("parts", "--heatmaps=normal")
    assert result.exit_code == 2
    said = " ".join(result.stderr.replace("│", " ").split())
    assert "'normal' is not one of 'all', 'anomalous'" in said


def test_heatmaps_as_jpeg(score, parts):
    score("parts/d.png", "--heatmaps", "--picture-format", "jpeg")
    (written,) = (OUT / "heatmaps").iterdir()
    with Image.open(written) as image:
        assert image.format == "JPEG"


def test_saved_maps_are_the_raw_ones(score, parts):
    score("parts", "--save-maps")
    row = read_rows()[1]
    (path,) = (OUT / "maps" / "left").glob("a*.npy")
    raw_map = np.load(path)
    assert (raw_map.shape, raw_map.dtype) == ((70, 70), np.float32)
    assert float(row["map_max"]) == pytest.approx(raw_map.max(), abs=1e-5)


def test_report_is_one_page_with_every_image(score, parts):
    assert score("parts", "--report", "--heatmaps").exit_code == 0
    page = (OUT / "report.html").read_text(encoding="utf-8")
    for row in read_rows():
        assert row["path"] in page


def test_report_after_resume_has_the_earlier_images_too(score, parts):
    score("parts", "--report", "--limit", "2")
    score("parts", "--report", "--resume")
    page = (OUT / "report.html").read_text(encoding="utf-8")
    assert "No picture" not in page
    for row in read_rows():
        assert row["path"] in page


def test_report_after_resume_shows_the_overlays_of_the_earlier_images(score, parts):
    score("parts", "--report", "--heatmaps", "--limit", "2")
    score("parts", "--report", "--heatmaps", "--resume")
    page = (OUT / "report.html").read_text(encoding="utf-8")
    rows = [row for row in read_rows() if not row["error"]]
    assert len(rows) > 2
    assert page.count('src="data:image/jpeg;base64') == len(rows)
    assert page.count('data-original="data:image/jpeg;base64') == len(rows)
    assert "No picture" not in page


def test_list_of_paths_on_standard_input(score, parts):
    result = score("-", input="parts/d.png\nparts/gone.png\n")
    assert result.exit_code == 3
    assert [row["path"] for row in read_rows()] == ["parts/d.png", "parts/gone.png"]
    assert read_rows()[1]["error"]


def test_prompts_by_folder(score, parts):
    Path("rules.toml").write_text('"left/" = "bolt"\n"right/*.bmp" = "nut"\n')
    score("parts", "--prompts", "rules.toml", "--prompt", "part")
    assert [row["prompt"] for row in read_rows()] == ["part", "bolt", "bolt", "part", "nut"]


def test_settings_file_and_variables(score, parts, monkeypatch):
    Path("moeclip.toml").write_text('prompt = "bolt"\n[score]\nlimit = 1\nthreshold = 0.25\n')
    monkeypatch.setenv("MOECLIP_THRESHOLD", "0.75")
    assert score("parts").exit_code == 0
    (row,) = read_rows()
    assert (row["prompt"], row["threshold"]) == ("bolt", "0.75")
    score("parts", "--prompt", "nut", "--threshold", "0.5", "--overwrite")
    (row,) = read_rows()
    assert (row["prompt"], row["threshold"]) == ("nut", "0.5")


def test_keys_are_options_as_they_are_typed(score, parts, monkeypatch):
    Path("moeclip.toml").write_text('format = "jsonl"\nbatch-size = 2\n[score]\njson = true\n')
    result = score("parts")
    assert result.exit_code == 0
    assert json.loads(result.stdout.splitlines()[0])["path"]
    assert (OUT / "results.jsonl").is_file()
    monkeypatch.setenv("MOECLIP_FORMAT", "csv")
    assert score("parts", "--overwrite").exit_code == 0
    assert (OUT / "results.csv").is_file()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("treshold = 0.5", "unknown setting 'treshold'; did you mean threshold?"),
        ("[scor]\nthreshold = 0.5", "unknown table [scor]; did you mean [score]?"),
        ("[line]\nthreshold = 0.5", "unknown table [line]; the tables are [benchmark], ["),
        ("[score]\nsheet = true", "unknown setting 'sheet' in [score]"),
        ("threshold =", "not valid TOML"),
        ("threshold = " + "[" * 5000, "not valid TOML: it is nested too deeply"),
        ("a" + ".a" * 50_000 + " = 1", "not valid TOML: line 1 has more than 50 dots"),
        ("#" * 1_000_001, "it is larger than 1 MB"),
    ],
)
def test_wrong_settings_files_are_refused(score, parts, content, message):
    Path("moeclip.toml").write_text(content)
    result = score("parts")
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="requires named pipes")
def test_a_settings_file_that_never_ends_is_refused(score, parts):
    os.mkfifo("pipe")
    for path in ("pipe", "/dev/zero"):
        result = score("parts", "--config", path)
        assert result.exit_code == 2
        assert "not a regular file" in result.stderr


def test_run_card_says_what_made_the_numbers(score, parts):
    score("parts", "--prompt", "bolt")
    card = json.loads((OUT / "run.json").read_text())
    assert card["state"] == "finished"
    assert card["settings"]["prompt"] == "bolt"
    assert len(card["settings"]["model_digest"]) == 64
    assert len(card["settings"]["backbone_digest"]) == 64
    assert card["summary"]["images"] == 5
    assert {"torch", "moeclip", "device", "command"} <= set(card["environment"])


def make_many(folder, count):
    folder.mkdir()
    save_image(folder / "0.png")
    for number in range(1, count):
        shutil.copy(folder / "0.png", folder / f"{number}.png")


def wait_for_rows(count):
    table = OUT / "results.csv"
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        if table.exists() and table.read_bytes().count(b"\r\n") > count:
            return
        time.sleep(0.02)
    raise AssertionError("no rows were written")


def test_kill_loses_at_most_the_batch_in_flight_and_resume_completes(
    score, start_moeclip, standin, tmp_path
):
    make_many(tmp_path / "many", 400)
    args = ["many", "--batch-size", "4", "--workers", "1", "--heatmaps"]
    process = start_moeclip("score", *standin.options, *args, cwd=tmp_path)
    wait_for_rows(20)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = read_rows()
    assert 20 <= len(kept) < 400
    pictures = len(list((OUT / "heatmaps").glob("*.png")))
    assert pictures - len(kept) <= 2 * 4
    assert score(*args, "--resume").exit_code == 0
    assert score(*args, "--out", "whole").exit_code == 0
    assert_same_rows(OUT, Path("whole"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupt_keeps_what_is_finished(start_moeclip, standin, tmp_path, number, code):
    make_many(tmp_path / "many", 400)
    process = start_moeclip(
        "score", *standin.options, "many", "--batch-size", "1", "--workers", "1", cwd=tmp_path
    )
    wait_for_rows(5)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in errors
    assert "--resume" in errors
    assert 5 <= len(read_rows()) < 400


def test_a_second_process_is_refused_while_the_first_one_scores(
    score, start_moeclip, standin, tmp_path
):
    make_many(tmp_path / "many", 40)
    args = ["many", "--batch-size", "2", "--workers", "1"]
    process = start_moeclip("score", *standin.options, *args, cwd=tmp_path)
    wait_for_rows(1)
    process.send_signal(signal.SIGSTOP)
    for option in ([], ["--resume"], ["--overwrite"]):
        refused = score(*args, *option)
        assert refused.exit_code == 2
        assert f"Another moeclip (process {process.pid} on " in refused.stderr
        assert "choose another --out" in " ".join(refused.stderr.split())
    process.send_signal(signal.SIGCONT)
    assert process.wait(timeout=120) == 0
    paths = [row["path"] for row in read_rows()]
    assert len(paths) == len(set(paths)) == 40


@pytest.mark.parametrize("command", ["score", "heatmap"])
def test_an_output_path_that_is_too_long_is_one_sentence(moeclip, standin, parts, command):
    result = moeclip(command, *standin.options, "parts", "--out", "x" * 5000)
    assert result.exit_code == 2
    assert "the path is too long; choose a shorter --out" in " ".join(result.stderr.split())
