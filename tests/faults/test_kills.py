from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "kill_loop.py"


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="commands are started by forks")
@pytest.mark.parametrize("command", ["score", "mutual", "train", "benchmark"])
def test_killed_runs_end_with_the_files_of_an_undisturbed_run(command):
    options = ["--kills", "6", "--seed", "1", "--command", command]
    done = subprocess.run(
        [sys.executable, SCRIPT, *options], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{command}: 6 kills" in done.stdout
