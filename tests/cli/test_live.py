"""Cameras and streams as the input of `moeclip score`."""

from __future__ import annotations

import csv
import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from PIL import Image
from support.camera import running_camera


@pytest.fixture
def camera():
    with running_camera() as found:
        yield found


@pytest.fixture
def score(moeclip, standin):
    def with_standin(*args):
        return moeclip("score", *args, *standin.options)

    return with_standin


def rows(folder="moeclip-out"):
    with Path(folder, "results.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def numbers(camera):
    found = [row["path"].partition("#") for row in rows()]
    assert {name for name, _, _ in found} == {camera.url}
    return [int(number) for _, _, number in found]


def test_frames_are_rows_and_their_overlays_are_of_the_same_frames(score, camera):
    camera.frames = 10**6
    result = score(f"camera:{camera.url}", "--limit", 4, "--every", 2, "--heatmaps", "--report")
    assert result.exit_code == 0, result.stderr
    found = numbers(camera)
    assert len(found) == 4
    assert found == sorted(set(found))
    assert {number % 2 for number in found} == {1}
    host = camera.url.removeprefix("http://").replace(":", "%3A")
    for number in found:
        overlay = Path(f"moeclip-out/heatmaps/{host}#{number}.png")
        with Image.open(overlay) as picture:
            assert picture.width >= 96


def test_the_end_of_a_stream_ends_the_run(score, camera):
    camera.frames = 5
    result = score(f"camera:{camera.url}", "--json")
    assert result.exit_code == 0, result.stderr
    assert numbers(camera)[-1] == 5
    assert "The stream ended after frame 5." in result.stderr
    assert [json.loads(line)["path"] for line in result.stdout.splitlines()] == [
        row["path"] for row in rows()
    ]
    assert "finished" in Path("moeclip-out/run.json").read_text()


def test_a_lost_stream_is_a_sentence_and_an_exit_code(score, camera):
    camera.frames = 3
    result = score(f"camera:{camera.url}", "--limit", 50)
    assert result.exit_code == 3
    assert f"The stream {camera.url} was lost after frame 3" in result.stderr


def test_frames_that_come_too_fast_are_counted(score, camera):
    camera.frames, camera.seconds = 200, 0.002
    result = score(f"camera:{camera.url}")
    assert result.exit_code == 0, result.stderr
    found = numbers(camera)
    passed = int(result.stderr.partition(" frames came faster")[0].split()[-1])
    assert len(found) + passed == found[-1] - found[0] + 1 <= 200


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends Ctrl-C to a whole console")
def test_ctrl_c_finishes_the_run(start_moeclip, standin, camera):
    camera.frames = 10**6
    process = start_moeclip("score", f"camera:{camera.url}", "--report", *standin.options)
    table = Path("moeclip-out/results.csv")
    deadline = time.monotonic() + 240
    while not (table.exists() and len(table.read_bytes().splitlines()) > 2):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=240)
    assert process.returncode == 0, stderr
    assert "Results are in moeclip-out." in stderr
    assert Path("moeclip-out/report.html").exists()
    assert len(rows()) >= 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["camera:99"], "camera:99 cannot be opened; check that a camera of that number"),
        (["camera:http://kim:s3cret@127.0.0.1:1/a"], "http://127.0.0.1:1/a cannot be opened"),
        (["rtsp://kim:s3cret@127.0.0.1:1/a"], "rtsp://127.0.0.1:1/a cannot be opened; check the"),
        (["camera:front"], "camera:front is not a camera; write camera:0 for the first one"),
        (["camera:0", "a.png"], "A stream is scored in a run of its own"),
        (["camera:0", "--resume"], "A stream cannot be read again, as --resume needs"),
        (["camera:0", "--mutual"], "A stream cannot be read again, as --mutual needs"),
        (["camera:0", "--pages", "all"], "--pages is for files; use --every and --limit"),
    ],
)
def test_mistakes_are_refused_in_one_sentence(score, arguments, sentence):
    result = score(*arguments)
    assert result.exit_code == 2
    assert sentence in " ".join(result.stderr.replace("│", " ").split())
    assert "s3cret" not in result.stderr


def test_other_commands_take_no_streams(moeclip):
    for command in ("heatmap", "calibrate"):
        result = moeclip(command, "rtsp://host/live")
        assert result.exit_code == 2
        assert "is a stream, which only 'moeclip score' reads" in result.stderr
