from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from support.samples import save_image

from moeclip_cli.runs.run_card import read_card


@pytest.fixture
def score(moeclip, standin):
    """Score a folder into an output folder."""

    def run(folder, out, *options, code=0):
        result = moeclip("score", *standin.options, folder, "--out", out, "-q", *options)
        assert result.exit_code == code, result.stderr

    return run


@pytest.fixture
def compare(moeclip):
    def run(*options, code=0):
        result = moeclip("compare", *options)
        assert result.exit_code == code, result.stderr
        return result

    return run


def test_equal_runs_have_no_changes(score, compare, parts):
    score("parts", "a")
    score("parts", "b")
    result = compare("a", "b", "--fail-on-flips")
    assert result.stdout.splitlines()[-1] == (
        "5 images in both runs: 0 verdicts changed, 0 scores moved. 0 only in A, 0 only in B."
    )
    assert "Verdicts that changed" not in result.stdout


def test_another_threshold_flips_verdicts_and_moves_no_score(score, compare, parts):
    score("parts", "a", "--threshold", 0)
    score("parts", "b", "--threshold", 1)
    result = compare("a", "b", "--fail-on-flips", code=1)
    *_, sentence, settings = result.stdout.splitlines()
    assert "5 verdicts changed (5 anomalous to normal), 0 scores moved" in sentence
    assert settings == "Settings: threshold 0 in A, 1 in B."
    assert "anomalous -> normal  parts/d.png" in result.stdout
    assert compare("a", "b", "--fail-on-flips", "-q", code=1).stdout == ""
    limited = compare("a", "b", "--limit", 2).stdout
    assert "Verdicts that changed (2 of 5)" in limited
    assert limited.count("anomalous -> normal") == 2


def test_tiles_and_regions_that_differ_are_told(score, compare, parts):
    score("parts", "a")
    score("parts", "b", "--tile", 56, "--region", "0,0,40,40")
    settings = " ".join(compare("a", "b").stdout.splitlines()[-1].split())
    assert "tile none in A, 56 in B; overlap none in A, 0.25 in B" in settings
    assert "the regions that are inspected differ" in settings
    assert "[[" not in settings and "{" not in settings


def test_another_image_moves_its_score(score, compare, parts):
    score("parts", "a", "--threshold", 1)
    save_image(parts / "left/a.png", seed=70)
    score("parts", "b", "--threshold", 1)
    found = json.loads(compare("a", "b", "--json").stdout)
    assert [pair["b"]["path"] for pair in found["moves"]] == ["parts/left/a.png"]
    (pair,) = found["moves"]
    moved = pair["b"]["score"] - pair["a"]["score"]
    assert found["total"]["furthest"] == pytest.approx(abs(moved))
    assert found["folders"]["parts/left"]["moved"] == found["total"]["moved"] == 1
    assert found["folders"]["parts/right"]["moved"] == 0
    kept = json.loads(compare("a", "b", "--json", "--tolerance", abs(moved) + 0.001).stdout)
    assert kept["moves"] == []


def test_images_in_one_run_only_and_unreadable_ones_are_told(score, compare, parts):
    score("parts", "a", "--threshold", 1)
    (parts / "d.png").write_text("broken")
    (parts / "left/a.png").unlink()
    save_image(parts / "right/new.png", seed=9)
    score("parts", "b", "--threshold", 1, code=3)
    result = compare("a", "b", "--fail-on-flips", code=1)
    assert "normal -> unreadable  parts/d.png" in result.stdout
    *_, sentence = result.stdout.splitlines()
    assert "1 verdict changed (1 normal to unreadable)" in sentence
    assert "1 only in A, 1 only in B" in sentence
    found = json.loads(compare("a", "b", "--json").stdout)
    assert [one["path"] for one in found["only_a"]] == ["parts/left/a.png"]
    assert [one["path"] for one in found["only_b"]] == ["parts/right/new.png"]


def test_runs_over_two_folders_are_joined_by_name_or_content(score, compare, parts):
    shutil.copytree("parts", "moved")
    Path("moved/d.png").rename("moved/e.png")
    score("parts", "a")
    score("moved", "b", "--format", "jsonl")

    def both(*options):
        return json.loads(compare("a", "b", "--json", *options).stdout)["total"]["both"]

    assert both() == 0
    assert both("--by", "name") == 4
    assert both("--by", "digest") == 5

    save_image(Path("moved/e.png"), seed=80)
    refused = compare("a", "b", "--by", "digest", code=2)
    assert "moved/e.png is missing or has changed" in refused.stderr
    assert "set --by to path or name" in refused.stderr


def test_an_image_that_is_listed_twice_is_compared_twice(score, compare, parts, moeclip, standin):
    for out in ("a", "b"):
        listed = moeclip(
            "score", *standin.options, "-", "--out", out, "-q", input="parts/d.png\nparts/d.png\n"
        )
        assert listed.exit_code == 0, listed.stderr
    assert json.loads(compare("a", "b", "--json").stdout)["total"]["both"] == 2


def test_the_page_shows_the_same_and_is_not_overwritten(score, compare, parts):
    score("parts", "a", "--threshold", 0)
    score("parts", "b", "--threshold", 1)
    compare("a", "b", "--report", "page.html")
    page = Path("page.html").read_text(encoding="utf-8")
    assert page.count('<span class="verdict anomalous">') == 5
    for heading in ("Verdict A", "Verdict B", "Score A", "Score B"):
        assert page.count(f'<button type="button">{heading}</button>') == 1
    assert "threshold 0 in A, 1 in B" in page
    assert "script-src 'sha256-" in page
    assert "already exists" in compare("a", "b", "--report", "page.html", code=2).stderr
    compare("a", "b", "--report", "page.html", "--overwrite")


def test_what_is_not_a_finished_run_is_refused(score, compare, parts):
    score("parts", "a")
    assert "name the output folder" in compare("a", "parts", code=2).stderr
    shutil.copytree("a", "b")
    card = read_card(Path("b")) | {"state": "running"}
    Path("b/run.json").write_text(json.dumps(card))
    assert "is unfinished" in compare("a", "b", code=2).stderr
    Path("b/run.json").write_text(json.dumps(card | {"settings": {"protocol": "paper"}}))
    assert "another command" in compare("a", "b", code=2).stderr
    assert "Traceback" not in compare("a", "a", "--tolerance", "nan", code=2).stderr
