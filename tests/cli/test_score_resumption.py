"""`moeclip score`: runs that end early, go on, or meet an earlier one."""

from __future__ import annotations

import re
import shutil
import signal
import time
from pathlib import Path

import pytest
from support.samples import save_image
from support.score_rows import OUT, assert_same_rows, read_rows


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
