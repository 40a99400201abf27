from __future__ import annotations

import csv
import json
import re
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.samples import save_image

from moeclip_cli.inspection.compact_map import CompactMap
from moeclip_cli.pictures.overlay import BORDER
from moeclip_cli.reports.tables.results_table import read_table
from moeclip_cli.runs.lock import WriterLock
from moeclip_cli.runs.run_card import read_card

OUT = Path("moeclip-out")
ALL = ("--keep-maps", "--heatmaps", "--report")

_WITHOUT_TORCH = """
import sys
from moeclip_cli.__main__ import main
try:
    main()
except SystemExit as end:
    print(end.code or 0, "torch" in sys.modules, file=sys.stderr)
"""


@pytest.fixture
def score(moeclip, standin, parts):
    """Score five images and a broken one; returns standard output."""
    (parts / "broken.png").write_text("not an image")

    def run(out, *options, code=3):
        result = moeclip("score", *standin.options, "parts", "--out", out, "-q", *options)
        assert result.exit_code == code, result.stderr
        return result.stdout

    return run


@pytest.fixture
def recut(moeclip):
    def run(*options, code=0):
        result = moeclip("recut", *options)
        assert result.exit_code == code, result.stderr
        return result

    return run


def rows(out):
    with (out / "results.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def in_the_middle(out=OUT):
    """A threshold, a multiple of 0.005, that flips a verdict of a run with the threshold 0."""
    scores = [float(row["score"]) for row in rows(out) if row["score"]]
    return round(statistics.median(scores) * 200) / 200 + 0.005


def page(path):
    """The text of a report without times and pictures."""
    text = path.read_text(encoding="utf-8")
    return re.sub(r'data:image/jpeg;base64,[^"]*|datetime="[^"]*"|\d\d:\d\d', "", text)


def files():
    """The files of the output folder, without the lock."""
    found = (path for path in OUT.rglob("*") if path.is_file() and "lock" not in path.name)
    return {path: path.read_bytes() for path in found}


def pictures(folder):
    return {
        path.relative_to(folder): np.asarray(Image.open(path).convert("RGB"))
        for path in sorted(folder.rglob("*.*"))
    }


@pytest.mark.parametrize("table", ["csv", "jsonl", "parquet"])
def test_a_recut_run_is_a_new_run_with_that_threshold(score, recut, table):
    score("first", "--threshold", 0)
    threshold = in_the_middle(Path("first"))
    score(OUT, *ALL, "--threshold", 0, "--format", table)
    score("new", *ALL, "--threshold", threshold, "--format", table)

    result = recut(OUT, "--threshold", threshold)
    assert re.search(r"[1-4] verdicts? changed: 0 to anomalous, [1-4] to normal", result.stdout)
    for name in (f"results.{table}", "inputs.jsonl"):
        assert (OUT / name).read_bytes() == Path("new", name).read_bytes()
    assert page(OUT / "report.html") == page(Path("new/report.html"))
    ours, theirs = read_card(OUT), read_card(Path("new"))
    assert ours["settings"] == theirs["settings"]
    assert ours["summary"]["anomalous"] == theirs["summary"]["anomalous"] > 0
    assert ours["recut"]["threshold_before"] == 0
    drawn, expected = pictures(OUT / "heatmaps"), pictures(Path("new/heatmaps"))
    assert drawn.keys() == expected.keys()
    for name, picture in expected.items():  # an outline may be off by a pixel
        far = np.abs(drawn[name].astype(int) - picture).max(axis=-1) > 3
        assert far.mean() < 0.1


def test_a_workbook_is_recut(score, recut, moeclip):
    pytest.importorskip("openpyxl")
    score(OUT, "--threshold", 0, "--keep-maps", "--format", "xlsx")
    assert recut(OUT, "--threshold", 1).exit_code == 0
    verdicts = [row.verdict for row in read_table(OUT, "xlsx") if row.score is not None]
    assert len(verdicts) > 1
    assert set(verdicts) == {"normal"}
    assert moeclip("verify", OUT).exit_code == 0


@pytest.mark.parametrize("region", ["10%,0%,90%,80%", "rules.toml"])
def test_tiles_and_region_are_those_of_a_new_run(score, recut, moeclip, region):
    rules = '[region]\n"[ab].png" = "0,0,50%,90%"\n"*" = "10%,0%,90%,80%"\n'
    Path("rules.toml").write_text(rules + '[ignore]\n"d.png" = "0,0,40%,40%"\n')
    options = ("--tile", 56, "--region", region, "--keep-maps", "--heatmaps", "--report")
    score(OUT, *options, "--threshold", 0)
    threshold = in_the_middle()
    expected = score("new", *options, "--threshold", threshold, "--json")

    printed = recut(OUT, "--threshold", threshold, "--json").stdout
    assert [json.loads(line)["tile_x0"] for line in printed.splitlines()] == [
        json.loads(line)["tile_x0"] for line in expected.splitlines()
    ]
    for name in ("results.csv", "inputs.jsonl"):
        assert (OUT / name).read_bytes() == Path("new", name).read_bytes()
    assert len({row["verdict"] for row in rows(OUT)} - {""}) == 2
    assert read_card(OUT)["settings"] == read_card(Path("new"))["settings"]
    drawn, others = pictures(OUT / "heatmaps"), pictures(Path("new/heatmaps"))
    for name, picture in others.items():
        border = (picture == BORDER).all(axis=-1)
        assert border.any()
        assert np.array_equal((drawn[name] == BORDER).all(axis=-1), border)
    assert moeclip("verify", OUT).exit_code == 0


def test_a_run_with_files_of_regions_is_refused(score, recut):
    score(OUT, "--keep-maps", "--regions")
    before = files()
    for options in ((), ("--verdicts-only",), ("--dry-run",)):
        message = recut(OUT, "--threshold", 0.6, *options, code=2).stderr
        assert "has the files of --regions, which show one threshold only" in message
    assert files() == before


def test_the_way_back_gives_the_same_files(score, recut, moeclip):
    given = 0.50007
    score(OUT, *ALL, "--threshold", given)
    before = {name: (OUT / name).read_bytes() for name in ("results.csv", "inputs.jsonl")}
    recut(OUT, "--threshold", 0.7)
    assert (OUT / "results.csv").read_bytes() != before["results.csv"]
    result = recut(OUT, "--threshold", given)
    assert "Regions are those at" not in result.stderr
    assert before == {name: (OUT / name).read_bytes() for name in before}
    assert moeclip("verify", OUT).exit_code == 0


def test_a_recut_run_is_complete_and_can_be_resumed(score, recut, moeclip, parts):
    score(OUT, "--keep-maps", "--heatmaps", "anomalous", "--threshold", 0)
    threshold = in_the_middle()
    recut(OUT, "--threshold", threshold)
    assert moeclip("verify", OUT).exit_code == 0
    normal = [row for row in rows(OUT) if row["verdict"] == "normal"]
    assert len(list((OUT / "heatmaps").rglob("*.png"))) == 5 - len(normal)

    save_image(parts / "new.png", seed=20)
    options = ("--keep-maps", "--heatmaps", "anomalous", "--threshold", threshold)
    score(OUT, *options, "--resume")
    score("new", *options)
    assert (OUT / "results.csv").read_bytes() == Path("new/results.csv").read_bytes()


def test_json_is_that_of_a_new_run(score, recut):
    score("first", "--threshold", 0)
    threshold = in_the_middle(Path("first"))
    score(OUT, "--keep-maps", "--threshold", 0)
    expected = score("new", "--threshold", threshold, "--json").splitlines()
    printed = recut(OUT, "--threshold", threshold, "--json").stdout.splitlines()
    assert len(printed) == len(expected) == 6
    for ours, theirs in zip(map(json.loads, printed), map(json.loads, expected), strict=True):
        for box, other in zip(ours.pop("boxes"), theirs.pop("boxes"), strict=True):
            assert abs(box.pop("peak") - other.pop("peak")) < 0.0051
            assert box == other
        assert ours == theirs


@pytest.fixture
def profiles(moeclip, standin):
    """Profiles at 10% and 20% false alarms."""
    Path("good").mkdir()
    for number in range(9):
        save_image(Path("good") / f"{number}.png", seed=30 + number)
    for name, rate in (("tenth", 0.1), ("fifth", 0.2)):
        result = moeclip("calibrate", "good", *standin.options, "-a", rate, "--profile", name)
        assert result.exit_code == 0, result.stderr
    return Path("tenth"), Path("fifth")


def regions_left_out(out):
    """The rows without the columns that are exact at multiples of 0.005 only."""
    hidden = {"area_fraction", "regions", "x0", "y0", "x1", "y1"}
    return [{name: row[name] for name in row if name not in hidden} for row in rows(out)]


def test_a_profile_gives_threshold_and_percentiles(score, recut, profiles):
    tenth, fifth = profiles
    score(OUT, "--keep-maps", "--threshold", 0.3)
    score("new", "--profile", tenth)
    result = recut(OUT, "--profile", tenth)
    assert "(profile: 10% false alarms on 9 good images)" in result.stdout
    assert "Regions are those at 0." in result.stderr
    assert regions_left_out(OUT) == regions_left_out(Path("new"))
    assert read_card(OUT)["settings"] == {
        **read_card(Path("new"))["settings"], "keep_maps": True,
    }  # fmt: skip

    # The good scores are kept: another rate needs no file.
    score("other", "--profile", fifth)
    recut(OUT, "--false-alarms", "20%")
    assert regions_left_out(OUT) == regions_left_out(Path("other"))
    assert read_card(OUT)["settings"]["threshold_source"] == (
        "profile: 20% false alarms on 9 good images"
    )


def test_without_maps_verdicts_can_be_recut(score, recut, moeclip):
    score(OUT, "--threshold", 0, "--report")
    threshold = in_the_middle()
    refused = recut(OUT, "--threshold", threshold, code=2)
    assert "kept no maps" in refused.stderr
    assert "--verdicts-only" in refused.stderr
    score("new", "--threshold", threshold)
    result = recut(OUT, "--threshold", threshold, "--verdicts-only")
    assert "changed: 0 to anomalous" in result.stdout
    assert regions_left_out(OUT) == regions_left_out(Path("new"))
    assert {row["area_fraction"] + row["regions"] + row["x0"] for row in rows(OUT)} == {""}
    assert moeclip("verify", OUT).exit_code == 0
    printed = recut(OUT, "-t", threshold, "--verdicts-only", "--json").stdout.splitlines()
    assert {json.loads(line)["boxes"] is None for line in printed} == {True, False}


def test_overlays_and_report_come_and_go_on_demand(score, recut):
    score(OUT, "--keep-maps")
    recut(OUT, "--threshold", 0.4, "--heatmaps", "--report")
    assert len(list((OUT / "heatmaps").rglob("*.png"))) == 5
    assert "threshold 0.400" in (OUT / "report.html").read_text(encoding="utf-8")
    recut(OUT, "--threshold", 0.45, "--no-heatmaps", "--no-report")
    assert not (OUT / "heatmaps").exists()
    assert not (OUT / "report.html").exists()


def test_a_dry_run_writes_nothing(score, recut):
    score(OUT, *ALL, "--threshold", 0)
    before = files()
    result = recut(OUT, "--threshold", 1, "--dry-run")
    assert "5 verdicts changed: 0 to anomalous, 5 to normal" in result.stdout
    assert "is unchanged" in result.stderr
    assert files() == before


def test_no_model_and_no_pytorch_is_loaded(score):
    score(OUT, *ALL)
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_TORCH, "recut", OUT, "--threshold", "0.6", "-q"],
        capture_output=True,
        text=True,
    )
    assert done.stderr.split() == ["0", "False"]


def an_unfinished_run():
    card = read_card(OUT) | {"state": "running"}
    (OUT / "run.json").write_text(json.dumps(card))


def a_missing_map():
    (OUT / "compact-maps/d.png").unlink()


def a_damaged_map():
    (OUT / "compact-maps/d.png").write_bytes(b"\x89PNG")


def a_changed_image():
    save_image(Path("parts/d.png"), seed=50)


def a_missing_log():
    (OUT / "inputs.jsonl").unlink()


def a_damaged_table():
    (OUT / "results.csv").write_text("path\n")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (an_unfinished_run, "is unfinished"),
        (a_missing_map, "1 maps, such as moeclip-out/compact-maps/d.png, are missing"),
        (a_damaged_map, "d.png is damaged"),
        (a_changed_image, "1 images, such as parts/d.png, are missing or have changed"),
        (a_missing_log, "does not fit"),
        (a_damaged_table, "is damaged or of another version"),
        (lambda: shutil.rmtree(OUT), "name the output folder"),
    ],
)
def test_what_cannot_be_recut_is_refused_and_left_alone(score, recut, damage, message):
    score(OUT, *ALL)
    damage()
    before = files()
    result = recut(OUT, "--threshold", 0.6, code=2)
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert files() == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "Name the new threshold with --threshold, --profile or --false-alarms"),
        (("-t", 0.5, "-a", 0.1), "Use either --threshold or --false-alarms"),
        (("-t", 1.5), "--threshold must be between 0 and 1"),
        (("-a", 0.1), "knows no scores of good parts"),
        (("--profile", "tenth", "-a", 0.01), "9 good images are too few for 1% false alarms"),
        (("--profile", "other"), 'for the prompt "bolt", but the run has "object"'),
        (("--profile", "large"), "its image size is 84, but here it is 70"),
        (("-t", 0.5, "--verdicts-only"), "use --no-heatmaps to remove them"),
    ],
)
def test_thresholds_that_do_not_fit_are_refused(score, recut, profiles, options, message):
    score(OUT, *ALL)
    content = json.loads(profiles[0].read_text())
    Path("other").write_text(json.dumps(content | {"prompt": "bolt"}))
    changed = content | {"settings": content["settings"] | {"image_size": 84}}
    Path("large").write_text(json.dumps(changed))
    assert message in recut(OUT, *options, code=2).stderr


def test_a_run_that_is_being_written_is_refused(score, recut):
    score(OUT, "--keep-maps")
    with WriterLock.of_folder(OUT):
        assert "is writing to" in recut(OUT, "-t", 0.5, code=2).stderr


def test_what_a_killed_recut_left_is_removed(score, recut, moeclip):
    score(OUT, "--keep-maps")
    (OUT / ".recut/heatmaps").mkdir(parents=True)
    recut(OUT, "-t", 0.5)
    assert not (OUT / ".recut").exists()
    assert moeclip("verify", OUT).exit_code == 0


def test_kept_maps_belong_to_the_output(score, moeclip):
    score(OUT, "--keep-maps", "--save-maps", "--threshold", 0.41)
    for path in (OUT / "compact-maps").rglob("*.png"):
        assert CompactMap.from_png(path.read_bytes()).threshold == 0.41
    found = moeclip("verify", OUT)
    assert "5 maps, 5 compact-maps" in found.stdout
    (OUT / "compact-maps/d.png").unlink()
    assert "overlays or maps are missing" in moeclip("verify", OUT).stderr
    score(OUT, "--keep-maps", "--save-maps", "--threshold", 0.41, "--resume")
    assert (OUT / "compact-maps/d.png").exists()


def test_the_text_of_the_report_is_kept_or_replaced(score, recut):
    score(OUT, "--keep-maps", "--report", "--title", "Incoming <goods>", "--field", "batch=4711")
    recut(OUT, "-t", 0.4)
    page = (OUT / "report.html").read_text(encoding="utf-8")
    assert "<h1>Incoming &lt;goods&gt;</h1>" in page
    assert "<dt>batch</dt><dd><bdi>4711</bdi></dd>" in page
    recut(OUT, "-t", 0.4, "--language", "de", "--field", "Charge=12")
    page = (OUT / "report.html").read_text(encoding="utf-8")
    assert "Schwelle 0,400" in page
    assert "4711" not in page
    assert "NAME=TEXT" in recut(OUT, "-t", 0.4, "--field", "batch", code=2).stderr
