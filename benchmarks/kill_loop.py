"""Kill runs at random moments, continue them, and compare their files with an undisturbed run.

    nice python benchmarks/kill_loop.py --kills 300

A run is killed (SIGKILL) up to eight times before it may finish. Afterwards its files must be those
of an undisturbed run, without temporary files, and `moeclip verify` must find them complete.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import torch
from support.benchmark_data import own_folder
from support.kills import ForkedCommands, Job, jobs, kill_until_done
from support.outputs import content
from support.standins import authors_checkpoint, backbone_state

MOST_KILLS = 8
COMMANDS = ("score", "mutual", "train", "benchmark")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=300, help="for each command")
    parser.add_argument("--command", choices=COMMANDS, action="append")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        torch.save(authors_checkpoint("small"), "model.pth")
        torch.save(backbone_state("small"), "backbone.pt")
        own_folder(Path("own"))
        model = ["--model", "model.pth", "--backbone-weights", "backbone.pt"]
        size = ["--image-size", "70", "--device", "cpu"]
        available = jobs([*model, *size], Path("backbone.pt"))
        for name in options.command or available:
            kill(name, available[name], options.kills, random.Random(options.seed))
        os.chdir("/")


def kill(name: str, job: Job, kills: int, chance: random.Random) -> None:
    """Kill runs of a job until `kills` processes were killed.

    Raises:
        SystemExit: if a run does not end like an undisturbed one.
    """
    commands = ForkedCommands(Path("log.txt"))
    commands.prepare(job.command(Path(f"{name}-prepared")))
    out = Path(name)
    started = time.perf_counter()
    commands.run(job.command(out))
    seconds = time.perf_counter() - started
    expected = content(out)
    killed = runs = 0
    while killed < kills:
        shutil.rmtree(out)
        most = min(MOST_KILLS, kills - killed)
        killed += kill_until_done(commands, job, out, chance, seconds, most)
        runs += 1
        found = content(out)
        names = found.keys() | expected.keys()
        different = sorted(each for each in names if found.get(each) != expected.get(each))
        if different or list(out.rglob("*.partial")) or commands.run(["verify", out]):
            sys.exit(f"{name}, run {runs} after {killed} kills: {different} differ")
    print(
        f"{name}: {killed} kills in {runs} runs, all with the files of an undisturbed run; "
        f"{time.perf_counter() - started:.0f} s",
        flush=True,
    )


if __name__ == "__main__":
    main()
