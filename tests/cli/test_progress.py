from __future__ import annotations

import os
import pty
import subprocess
import sys

from moeclip_cli.cli import progress


def test_progress_without_a_terminal_is_a_line_every_30_seconds(capsys, monkeypatch):
    now = 0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    with progress.meter(10, quiet=False) as advance:
        for _ in range(4):
            now += 20
            advance()
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "Scoring: 2 of 10, 0.05 images/s, 2 min 40 s left",
        "Scoring: 4 of 10, 0.05 images/s, 2 min 0 s left",
    ]


def test_the_rate_counts_from_the_first_batch(capsys, monkeypatch):
    now = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0)
    with progress.meter(10, quiet=False) as advance:
        now = 100.0  # the model is loaded and warmed up
        for _ in range(4):
            advance()
        now = 104.0
        advance()
        advance()
    lines = capsys.readouterr().err.splitlines()
    assert lines[:4] == [f"Scoring: {number} of 10" for number in range(1, 5)]
    assert lines[-1] == "Scoring: 6 of 10, 0.50 images/s, 8.0 s left"


def test_the_time_left_follows_the_work(capsys, monkeypatch):
    now = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0)
    with progress.meter(4, quiet=False, work=130) as advance:
        advance(10)
        now = 1.0
        advance(10)
        now = 10.0
        advance(90)
    lines = capsys.readouterr().err.splitlines()
    assert lines[1] == "Scoring: 2 of 4, 1.00 images/s, 11 s left"
    assert lines[2] == "Scoring: 3 of 4, 0.20 images/s, 2.0 s left"


def test_images_of_an_earlier_run_count_but_not_for_the_pace(capsys, monkeypatch):
    now = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0)
    with progress.meter(10, quiet=False) as advance:
        for _ in range(6):
            advance(earlier=True)
        now = 5.0
        advance()
        now = 7.0
        advance()
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["Scoring: 7 of 10", "Scoring: 8 of 10, 0.50 images/s, 4.0 s left"]


def test_quiet_progress_prints_nothing(capsys):
    with progress.meter(2, quiet=True) as advance:
        advance()
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar_with_pace_and_time_left():
    code = (
        "import time; from moeclip_cli.cli.progress import meter\n"
        "with meter(3, quiet=False, label='Drawing') as advance:\n"
        "    advance(); time.sleep(0.6); advance(); time.sleep(0.3)"
    )
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    master, slave = pty.openpty()
    subprocess.run([sys.executable, "-c", code], stderr=slave, env=environment, check=True)
    os.close(slave)
    output = os.read(master, 100_000).decode()
    os.close(master)
    assert "Drawing" in output
    assert "1/3" in output
    assert "2/3" in output
    assert "images/s" in output and "left" in output
