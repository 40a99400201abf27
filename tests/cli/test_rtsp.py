"""A stream from a real RTSP server as the input of `moeclip score`."""

from __future__ import annotations

import csv
import threading
import time
from pathlib import Path

import pytest
from support.rtsp_server import can_serve, running_rtsp_camera

TABLE = Path("moeclip-out/results.csv")


@pytest.fixture(scope="module")
def server():
    if not can_serve():
        pytest.skip("needs GStreamer's RTSP server: apt-get install gir1.2-gst-rtsp-server-1.0 "
                    "python3-gi gstreamer1.0-plugins-good")  # fmt: skip


@pytest.fixture
def camera(server):
    with running_rtsp_camera() as found:
        yield found


def rows():
    with TABLE.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_frames_of_a_stream_are_rows(moeclip, standin, camera):
    address = f"rtsp://kim:s3cret@{camera.address}"
    result = moeclip("score", address, "--limit", 2, "--every", 3, *standin.options)
    assert result.exit_code == 0, result.stderr
    names = [row["path"].partition("#") for row in rows()]
    assert [name for name, _, _ in names] == [f"rtsp://{camera.address}"] * 2
    assert [int(number) % 3 for _, _, number in names] == [1, 1]
    assert all((row["width"], row["height"], row["error"]) == ("128", "96", "") for row in rows())


def test_a_server_that_dies_is_a_sentence_and_an_exit_code(moeclip, standin, camera):
    def kill_after_a_row():
        deadline = time.monotonic() + 60
        while not (TABLE.exists() and len(TABLE.read_bytes().splitlines()) > 1):
            if time.monotonic() > deadline:
                break
            time.sleep(0.05)
        camera.kill()

    killer = threading.Thread(target=kill_after_a_row)
    killer.start()
    result = moeclip("score", f"rtsp://{camera.address}", "--limit", 5000, *standin.options)
    killer.join()
    assert result.exit_code == 3, result.stderr
    assert f"The stream rtsp://{camera.address} was lost after frame" in result.stderr
    assert 1 <= len(rows()) < 5000
    assert all(row["verdict"] for row in rows())
