"""`moeclip watch` as a command: options, signals, kills, and what it prints."""

from __future__ import annotations

import json
import random
import shutil
import signal

import pytest
from support.arrivals import kill_while_pictures_arrive

from moeclip_cli.runs.run_card import read_card


def test_pictures_that_another_process_copies_slowly_with_kills_in_between(standin):
    killed = kill_while_pictures_arrive(standin.options, 60, 4, 0.03, random.Random(0))
    assert killed == 4


def test_a_line_of_json_for_each_picture_and_a_summary(moeclip, standin, parts):
    run = moeclip("watch", parts, *standin.options, "--out", "out", "--stop-when-idle", "0.3")
    assert run.exit_code == 0, run.stderr
    events = [json.loads(line) for line in run.stdout.splitlines()]
    assert {event["path"] for event in events} == {str(path) for path in parts.rglob("*.*")}
    assert {"score", "verdict", "boxes", "schema", "id", "time", "moved_to"} <= events[0].keys()
    first, *_, last = run.stderr.splitlines()
    assert first == f"Watching {parts}. 5 pictures there: inspected first. Ctrl-C ends the watch."
    assert last.startswith("5 pictures: ")
    assert "0 unreadable; 5 since the start; most waiting at once: 5." in last
    card = read_card(parts.parent / "out")
    assert card["state"] == "finished"
    assert card["summary"]["images"] == 5
    assert moeclip("verify", "out").exit_code == 0


def test_an_unreadable_picture_is_in_the_exit_code(moeclip, standin, parts, monkeypatch):
    monkeypatch.setattr("moeclip_cli.watch.watcher.Timing.retry", 0.1)
    (parts / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    args = ("watch", parts, *standin.options, "--out", "out", "--stop-when-idle", "0.3", "--quiet")
    run = moeclip(*args, "--complete", "size")
    assert run.exit_code == 3
    assert run.stderr == ("Warning: 1 picture could not be read; the table says which and why.\n")


def test_sigterm_ends_the_watch_after_the_picture_in_hand(start_moeclip, standin, parts):
    process = start_moeclip("watch", "parts", *standin.options, "--out", "out", "--only-new")
    assert "5 pictures there: left out" in process.stderr.readline()
    shutil.copy(parts / "d.png", parts / "new.png")
    assert json.loads(process.stdout.readline())["path"] == "parts/new.png"
    process.send_signal(signal.SIGTERM)
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 143
    assert out == ""
    summary, last = errors.splitlines()
    assert summary.startswith("1 picture: ")
    assert last == "Terminated."
    assert read_card(parts.parent / "out")["state"] == "finished"


def test_results_of_the_watch_can_be_recut(moeclip, standin, parts):
    run = moeclip(
        "watch", parts, *standin.options, "--out", "out", "--keep-maps", "--stop-when-idle", "0.3"
    )
    assert run.exit_code == 0, run.stderr
    recut = moeclip("recut", "out", "--threshold", "0.99")
    assert recut.exit_code == 0, recut.stderr
    run = moeclip("watch", parts, *standin.options, "--out", "out", "--keep-maps")
    assert run.exit_code == 2
    assert "its threshold was 0.99" in run.stderr


@pytest.fixture
def earlier(moeclip, standin, parts):
    """The output folder of `score`: "scored"."""
    run = moeclip("score", *standin.options, parts, "--out", "scored", "--limit", "1")
    assert run.exit_code == 0, run.stderr


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["nope"], "nope is not a folder"),
        (["parts/d.png"], "is not a folder"),
        (["parts", "--out", "parts"], "where results are written"),
        (["parts/left", "--out", "parts"], "where results are written"),
        (["parts/left", "--move-to", "parts", "--model", "none.pth"], "Model 'none.pth' not found"),
        (["parts/good", "--out", "o", "--move-to", "parts"], "where results are written"),
        (["parts", "--move-to", "parts/d.png"], "Cannot write parts/d.png: part of its path is a"),
        (["parts", "--hook", "no-such-program"], "'no-such-program' of --hook was not found"),
        (["parts", "--hook", "true {pth}"], "unknown placeholder {pth}"),
        (["parts", "--webhook", "line.example"], "--webhook must be an http or https address"),
        (["parts", "--mqtt", "mqtt://host"], "--mqtt must be of the form"),
        (["parts", "--out", "scored"], "results of another command"),
        (["parts", "--threshold", "2"], "--threshold must be between"),
    ],
)
def test_what_is_wrong_is_one_sentence(moeclip, earlier, parts, args, message):
    (parts / "good").mkdir()
    run = moeclip("watch", *args)
    assert run.exit_code == (4 if "none.pth" in message else 2)
    assert message in run.stderr
    assert run.stderr.startswith("Error: ")


def test_another_folder_with_the_same_output_is_refused(moeclip, standin, parts):
    args = [*standin.options, "--out", "out", "--stop-when-idle", "0"]
    assert moeclip("watch", parts / "left", *args).exit_code == 0
    run = moeclip("watch", parts / "right", *args)
    assert run.exit_code == 2
    assert "its watched folder was" in run.stderr
    run = moeclip("score", parts / "left", *standin.options, "--out", "out", "--resume")
    assert run.exit_code == 2
    assert "cannot be resumed: its watched folder was" in run.stderr
