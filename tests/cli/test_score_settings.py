"""`moeclip score`: options from files and variables."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from support.score_rows import OUT, read_rows


@pytest.mark.parametrize(("value", "count"), [("true", 5), ("false", 0), ('"anomalous"', 0)])
def test_heatmaps_in_a_settings_file(score, parts, value, count):
    Path("moeclip.toml").write_text(f"threshold = 1\n[score]\nheatmaps = {value}\n")
    assert score("parts").exit_code == 0
    assert len(list((OUT / "heatmaps").rglob("*.png"))) == count


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
