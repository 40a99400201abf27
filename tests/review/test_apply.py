"""The button that gives the run the threshold that was tried."""

from __future__ import annotations

import json
import math
import shutil
import threading

import pytest
from support.review import GrowingRun, LiveReview

from moeclip_cli.runs.kinds import RECUT

CHECKPOINT = "checkpoint: 5% false alarms on 400 images"


def applied(server, threshold, unsure=None):
    """What became of a threshold that the page sends."""
    answer = server.post("apply", {"threshold": threshold, "unsure": unsure})
    assert answer.status == 202, answer.content
    while (progress := server.state()["applying"])["state"] == "working":
        threading.Event().wait(0.02)
    return progress


def card(folder):
    return json.loads((folder / "run.json").read_text("utf-8"))


@pytest.fixture
def finished(tmp_path):
    run = GrowingRun(tmp_path / "out", threshold_source=CHECKPOINT)
    run.add(("1.png", 0.9), ("2.png", 0.2), ("3.png", 0.6), ("4.png", None))
    run.finish()
    return run.folder


def test_a_threshold_is_applied_as_recut_does_it_and_taken_back(moeclip, finished, serve, tmp_path):
    shutil.copytree(finished, tmp_path / "same")
    settings = card(finished)["settings"]
    server = serve()
    known = {"epoch": server.state()["epoch"], "images": 4}
    progress = applied(server, 0.7, 0.5)
    assert (progress["state"], progress["done"], progress["changed"]) == ("done", 4, 1)
    told = server.state(**known)
    assert (told["threshold"], told["unsure"], told["source"]) == (0.7, 0.5, "given")
    verdicts = ["anomalous", "normal", "unsure", None]
    assert [row["verdict"] for row in server.rows().values()] == verdicts
    assert len(told["images"]) == 4

    recut = moeclip("recut", "same", "--threshold", "0.7", "--unsure", "0.5", "--quiet")
    assert recut.exit_code == 0, recut.stderr
    for name in ("results.csv", "inputs.jsonl"):
        assert (finished / name).read_bytes() == (tmp_path / "same" / name).read_bytes()
    ours, theirs = card(finished), card(tmp_path / "same")
    for name in ("settings", "summary", "files"):
        assert ours[name] == theirs[name]
    assert ours["recut"]["command"] == f"moeclip recut {finished} --threshold 0.7 --unsure 0.5"

    assert progress["before"] == {"threshold": 0.5, "unsure": None}
    assert applied(server, 0.5)["state"] == "done"
    assert card(finished)["settings"] == settings
    assert server.rows()["3.png"]["verdict"] == "anomalous"
    assert server.state()["applying"]["before"] == {"threshold": 0.7, "unsure": 0.5}
    assert moeclip("recut", "out", "--threshold", "0.8", "--quiet").exit_code == 0
    assert server.state()["applying"]["before"] is None


@pytest.mark.parametrize("threshold", ["0.5", True, None, math.nan, 1.5, -0.1])
def test_what_is_no_threshold_is_refused(finished, serve, threshold):
    server = serve()
    server.post("apply", {"threshold": threshold}).problem(400)
    server.post("apply", {"threshold": 0.5, "unsure": threshold or "none"}).problem(400)
    server.post("apply", {"threshold": 0.5, "unsure": 0.5}).problem(409)
    assert server.state()["applying"]["state"] == "idle"


def test_a_run_that_goes_on_or_would_lose_something_is_left_alone(growing, serve, tmp_path):
    server = serve()
    content = {"threshold": 0.7}
    assert server.post("apply", content).problem(409) == "The run must be finished first."
    bare = GrowingRun(tmp_path / "bare", keep_maps=False)
    bare.add(("1.png", 0.9))
    bare.finish()
    table = (bare.folder / "results.csv").read_bytes()
    with LiveReview(bare.folder).running() as other:
        assert "kept no maps" in other.post("apply", content).problem(409)
    assert (bare.folder / "results.csv").read_bytes() == table


def test_a_folder_that_cannot_be_written_is_a_sentence(without_rights, public_folder):
    run = GrowingRun(public_folder / "out")
    run.add(("1.png", 0.9))
    run.finish()
    with LiveReview(run.folder).running() as server:
        run.folder.chmod(0o555)
        with without_rights():
            sentence = server.post("apply", {"threshold": 0.95}).problem(409)
        assert sentence.startswith(f"{run.folder} cannot be written; change its permissions")
        run.folder.chmod(0o755)
        assert applied(server, 0.95)["changed"] == 1


def test_a_threshold_that_cannot_be_applied_changes_nothing(finished, serve, tmp_path):
    content = card(finished)
    content["settings"]["heatmaps"] = "png"
    (finished / "run.json").write_text(json.dumps(content))
    table = (finished / "results.csv").read_bytes()
    server = serve(language="de")
    (tmp_path / "3.png").unlink()
    progress = applied(server, 0.7)
    assert progress["state"] == "failed"
    assert progress["text"].startswith("Bilder, die fehlen")
    assert progress["before"] is None
    assert (finished / "results.csv").read_bytes() == table
    assert card(finished) == content


def test_what_is_being_applied_is_given_up_with_the_server(finished, serve):
    table = (finished / "results.csv").read_bytes()
    server = serve()
    server.review.applier.stop()
    assert server.post("apply", {"threshold": 0.7}).status == 202
    server.review.applier.stop()
    assert (finished / "results.csv").read_bytes() == table
    assert not (finished / RECUT).exists()
