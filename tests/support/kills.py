"""Commands in processes that are forked with everything imported, and can be killed."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from typer.testing import CliRunner

from moeclip_cli.cli.app import app
from moeclip_cli.exit_codes import ExitCode


class ForkedCommands:
    """Runs `moeclip` commands in forked processes, which need not import anything.

    Args:
        log: file for the output of the commands.
    """

    def __init__(self, log: Path) -> None:
        # A fork copies a single thread.
        torch.set_num_threads(1)
        self.log = log

    def prepare(self, command: Sequence[object]) -> None:
        """Run a command in this process, which imports what its forks need.

        Raises:
            AssertionError: if the command fails.
        """
        result = CliRunner().invoke(app, [str(word) for word in command])
        assert result.exit_code == 0, result.stderr

    def run(self, command: Sequence[object], kill_after: float | None = None) -> int:
        """Run a command; kill it after some seconds.

        Returns:
            Its exit code; -9 if it was killed.
        """
        process = os.fork()
        if not process:
            self._child(command)
        if kill_after is not None:
            time.sleep(kill_after)
            os.kill(process, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])

    def _child(self, command: Sequence[object]) -> None:
        code = 70
        try:
            stream = self.log.open("a", buffering=1)
            sys.stdout = sys.stderr = stream
            os.dup2(stream.fileno(), 1)
            os.dup2(stream.fileno(), 2)
            app([str(word) for word in command], prog_name="moeclip")
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        finally:
            os._exit(code)


@dataclass(frozen=True)
class Job:
    """A command that can be killed.

    Attributes:
        name: name of the subcommand.
        options: its arguments.
        resume: options that continue a killed run.
    """

    name: str
    options: Sequence[object]
    resume: Sequence[str] = ()

    def command(self, out: Path, *options: str) -> list[object]:
        """The command with an output folder."""
        return [self.name, *self.options, "--out", out, *options]


def jobs(model: Sequence[str], weights: Path) -> dict[str, Job]:
    """The jobs of each command on the folder `own`.

    Args:
        model: options that select the model.
        weights: weights of the backbone to train on.
    """
    one = ["--workers", "1"]
    pictures = ["--heatmaps", "--save-maps", "--report"]
    small = ["--image-size", "70", "--rank", "4", "--device", "cpu", "--workers", "0"]
    often = ["--save-minutes", "0", "--log-every", "1", "--samples", "1", "--keep-epochs"]
    data = ["--data", "own", "--val-fraction", "0.5", "--epochs", "2"]
    images = ["own/good", "own/bad", "--batch-size", "2"]
    return {
        "score": Job("score", [*images, *pictures, *model, *one], ["--resume"]),
        "mutual": Job("score", [*images, "--mutual", *pictures, *model, *one], ["--resume"]),
        "train": Job("train", [*data, "--backbone-weights", weights, *small, *often], ["--resume"]),
        "benchmark": Job("benchmark", ["own", *model, *one]),
    }


def kill_until_done(
    commands: ForkedCommands, job: Job, out: Path, chance: random.Random, seconds: float, kills: int
) -> int:
    """Kill a run `kills` times at random moments, each time continuing, then let it finish.

    Args:
        commands: starts the processes.
        job: the command.
        out: its output folder, which must not exist.
        chance: decides the moments.
        seconds: duration of an undisturbed run.
        kills: number of attempts to kill; one that comes too late ends the run.

    Returns:
        The number of processes that were killed before they ended.

    Raises:
        AssertionError: if the run cannot be finished.
    """
    code, killed = commands.run(job.command(out), chance.uniform(0, seconds)), 0
    while code == -signal.SIGKILL:
        killed += 1
        moment = chance.uniform(0, seconds) if killed < kills else None
        code = commands.run(job.command(out, *job.resume), moment)
        if code == ExitCode.USAGE and job.name == "train":  # nothing had been written
            code = commands.run(job.command(out))
    if code == ExitCode.USAGE and job.name == "benchmark":  # it had just finished
        code = 0 if json.loads((out / "run.json").read_bytes())["state"] == "finished" else code
    assert code == 0, f"exit code {code}, see {commands.log}"
    return killed
