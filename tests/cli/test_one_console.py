"""Notes, warnings, results and bars share the screen of a terminal without tearing each other."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from importlib.metadata import version

import pytest
from packaging.version import Version

from moeclip_cli.cli import console

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="requires tmux")

SCRIPT = """
import sys, time
from moeclip_cli.cli import console
from moeclip_cli.cli.progress import meter

with console.status("Loading PyTorch", quiet=False):
    time.sleep(0.3)
    console.note("A note beside a spinner.")
with meter(30, quiet=False) as advance:
    for number in range(30):
        time.sleep(0.05)
        advance()
        if number % 10 == 5:
            console.warn(f"{number}.png: " + "The file is damaged; copy it again. " * 3)
            console.note("A note.")
            console.stdout().print(f"result {number}")
            print(f"printed {number}")
print("THE END", flush=True)
time.sleep(60)
"""


@pytest.fixture
def screen(tmp_path):
    """Run a script in a terminal of a width: screen(script, width) -> all lines."""
    server = f"moeclip-{os.getpid()}"

    def tmux(*args):
        return subprocess.run(["tmux", "-L", server, *args], capture_output=True, text=True)

    def run(script, width):
        (tmp_path / "script.py").write_text(script)
        command = shlex.join([sys.executable, str(tmp_path / "script.py")])
        tmux("-f", "/dev/null", "new-session", "-d", "-x", str(width), "-y", "24", command)
        for _ in range(300):
            time.sleep(0.1)
            # -J joins wrapped lines, -S - includes those scrolled out of sight.
            lines = tmux("capture-pane", "-p", "-J", "-S", "-").stdout.splitlines()
            if any("THE END" in line for line in lines):
                return [line.rstrip() for line in lines if line.strip()]
        raise AssertionError("\n".join(lines))

    yield run
    tmux("kill-server")


@pytest.mark.skipif(Version(version("rich")) < Version("15"), reason="rich before 15 leaves bars")
@pytest.mark.parametrize("width", [80, 140])
def test_a_terminal_shows_whole_lines_and_no_dead_bars(screen, width):
    damaged = ("The file is damaged; copy it again. " * 3).rstrip()
    expected = ["A note beside a spinner."]
    for number in (5, 15, 25):
        expected += [
            f"Warning: {number}.png: {damaged}",
            "A note.",
            f"result {number}",
            f"printed {number}",
        ]
    assert screen(SCRIPT, width) == [*expected, "THE END"]


@pytest.mark.slow
@pytest.mark.parametrize("width", [80, 140])
def test_score_in_a_terminal_shows_whole_warnings_and_no_dead_bar(screen, standin, parts, width):
    for number in range(3):
        (parts / f"damaged{number}.jpg").write_bytes(b"\xff\xd8 no more")
    command = [
        "-m", "moeclip_cli", "score", "parts", *map(str, standin.options), "--batch-size", "1",
        "--device", "cpu", "--heatmaps",
    ]  # fmt: skip
    alone = subprocess.run(
        [sys.executable, *command, "--out", "alone"], capture_output=True, text=True
    )
    assert alone.returncode == 3, alone.stderr
    script = f"""
import subprocess, sys
subprocess.run([sys.executable, *{command!r}, "--out", "shown"])
print("THE END", flush=True)
import time; time.sleep(60)
"""
    lines = screen(script, width)
    assert not [line for line in lines if "━" in line]
    warnings = [line for line in alone.stderr.splitlines() if line.startswith("Warning")]
    assert len(warnings) >= 3
    for warning in warnings:
        assert warning in lines


def test_messages_go_through_the_console_of_a_bar():
    bars = console.stderr()
    with console.live(bars):
        assert console.stderr() is bars
    assert console.stderr() is not bars
