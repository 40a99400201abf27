"""`--processes`: a command that runs itself several times."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    import torch


def ran_in_several(processes: int, device: torch.device) -> bool:
    """Run this very command in several processes, unless this is already one of several.

    Args:
        processes: how many; with 1, nothing happens.
        device: where they work.

    Returns:
        Whether the command is done.

    Raises:
        UsageError: if there are not enough GPUs.
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
