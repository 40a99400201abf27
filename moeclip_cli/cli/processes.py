"""The command line of this process, and running it in several processes."""

from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING

import typer

from moeclip_cli.discovery.places import is_url, shown_url

if TYPE_CHECKING:
    import torch


def command_line() -> str:
    """The command line of this process, quoted for a shell; URLs have no credentials."""
    shown = (shown_url(text) if is_url(text) else text for text in sys.argv[1:])
    return shlex.join(["moeclip", *shown])


def is_one_of_several() -> bool:
    """True in a process that a launcher started beside others."""
    return os.environ.get("WORLD_SIZE", "1") != "1"


def ran_in_several(processes: int, device: torch.device) -> bool:
    """Run this command in several processes, unless this process is already one of several.

    Args:
        processes: number of processes; 1 runs nothing.
        device: device of the processes; for CUDA, each gets its own GPU.

    Returns:
        True if other processes have run the command to its end.

    Raises:
        UsageError: if there are too few GPUs.
        ProcessLostError: if a process was killed.
        typer.Exit: with the exit code of the process that failed.
    """
    from moeclip_cli.parallel.launch import end_with_launcher, launch
    from moeclip_cli.parallel.world import process_count

    if process_count() > 1:
        end_with_launcher()
        return False
    if processes == 1:
        return False
    code = launch(sys.argv[1:], processes, device)
    if code:
        raise typer.Exit(code)
    return True
