"""Ctrl-C and SIGTERM at any time after Python has started."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="requires Linux")


def wait_for_handlers(pid):
    """Wait until the process handles SIGTERM, which Python itself does not."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        status = Path(f"/proc/{pid}/status").read_text()
        caught = int(status.partition("SigCgt:")[2].split()[0], 16)
        if caught >> (signal.SIGTERM - 1) & 1:
            return
        time.sleep(0.001)
    raise AssertionError("no handler was installed")


@pytest.mark.parametrize(
    ("number", "code", "delay_s"),
    [(signal.SIGINT, 130, delay_s) for delay_s in (0, 0.02, 0.1, 0.3, 1, 2, 4)]
    + [(signal.SIGTERM, 143, delay_s) for delay_s in (0, 0.3, 2)],
)
def test_no_traceback_at_any_time(start_moeclip, standin, parts, number, code, delay_s):
    for copy in range(400):  # more than fit into the longest delay
        (parts / f"copy{copy}.png").symlink_to(parts / "d.png")
    process = start_moeclip("score", *standin.options, "parts", "--batch-size", "1")
    wait_for_handlers(process.pid)
    time.sleep(delay_s)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in errors


def test_an_ignored_signal_stays_ignored():
    """As in a script that starts the command in the background."""
    code = (
        "import signal, subprocess, sys\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "from moeclip_cli.cli import signals\n"
        "signals.handle()\n"
        "print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)\n"
        "print(signal.getsignal(signal.SIGTERM) is signals.interrupt)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "True\nTrue\n"
