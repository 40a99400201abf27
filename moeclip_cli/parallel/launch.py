"""Launcher: one command in several processes on this machine."""

from __future__ import annotations

import math
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import IO

import torch

from moeclip_cli.errors import ProcessLostError, Terminated, UsageError
from moeclip_cli.exit_codes import ExitCode
from moeclip_cli.parallel.cores import available_cores

# After this time, processes that still wait for a failed one are killed.
_GRACE_S = 10.0
_POLL_S = 0.1
_LAUNCHED_VARIABLE = "MOECLIP_LAUNCHED"


def launch(arguments: Sequence[str], processes: int, device: torch.device) -> int:
    """Run `moeclip ARGUMENTS` in several processes that form one distributed run.

    Only the first process writes to the terminal. If another one fails, its error output is
    printed at the end.

    Args:
        arguments: arguments of the command, without the program's name.
        processes: number of processes.
        device: device of the processes; a CUDA device means one GPU per process.

    Returns:
        The exit code of the process that failed first for a reason of its own, else 0.

    Raises:
        UsageError: if there are not enough GPUs.
        ProcessLostError: if a process was killed.
    """
    if device.type == "cuda" and processes > (gpus := torch.cuda.device_count()):
        raise UsageError(
            f"There are {gpus} GPUs for {processes} processes; set `processes` to at most {gpus}."
        )
    command = [sys.executable, "-m", "moeclip_cli", *arguments]
    threads = max(1, available_cores() // processes)
    common = {
        "OMP_NUM_THREADS": str(threads),
        **os.environ,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(_free_port()),
        "WORLD_SIZE": str(processes),
        _LAUNCHED_VARIABLE: "1",
    }
    with ExitStack() as stack:
        outputs = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(processes)]
        running: list[subprocess.Popen[bytes]] = []
        try:
            for rank in range(processes):
                env = common | {"RANK": str(rank), "LOCAL_RANK": str(rank)}
                running.append(_start(command, env, None if rank == 0 else outputs[rank]))
            failed = _wait_for_all(running)
        except KeyboardInterrupt as stop:
            _interrupt(running)
            return ExitCode.TERMINATED if isinstance(stop, Terminated) else ExitCode.INTERRUPTED
        finally:
            _kill(running)
        if failed is None:
            return 0
        code = int(running[failed].returncode)
        if code != running[0].returncode:  # otherwise the first process has printed the error
            outputs[failed].seek(0)
            sys.stderr.write(outputs[failed].read().decode(errors="replace"))
        if code < 0:
            raise ProcessLostError(
                f"Process {failed + 1} of {processes} was terminated by "
                f"{signal.Signals(-code).name}, possibly because memory ran out; lower `processes` "
                "or `batch_size`."
            )
        return code


def end_with_launcher() -> None:
    """Interrupt this process as soon as the `launch` that started it has ended.

    Does nothing in a process that `launch` has not started.
    """
    if _LAUNCHED_VARIABLE not in os.environ:
        return
    launcher = os.getppid()

    def watch() -> None:
        while os.getppid() == launcher:
            time.sleep(_POLL_S)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=watch, name="moeclip-launcher", daemon=True).start()


def _start(
    command: Sequence[str], env: Mapping[str, str], error_output: IO[bytes] | None
) -> subprocess.Popen[bytes]:
    """Start a process that writes to the terminal, or one that writes to `error_output` only."""
    return subprocess.Popen(
        command,
        env=env,
        stdout=None if error_output is None else subprocess.DEVNULL,
        stderr=error_output,
        # In its own session, so that Ctrl-C reaches it once, through this process.
        start_new_session=True,
    )


def _wait_for_all(running: Sequence[subprocess.Popen[bytes]]) -> int | None:
    """Wait for all processes; return the rank of the one that failed first.

    After a failure, the others get `_GRACE_S` seconds to end. A process that reports a lost process
    is returned only if no other one failed.
    """
    failed: list[int] = []
    deadline = math.inf
    while True:
        ended = [process.poll() is not None for process in running]
        failed += [
            rank
            for rank, process in enumerate(running)
            if process.returncode and rank not in failed
        ]
        if failed and deadline == math.inf:
            deadline = time.monotonic() + _GRACE_S
        if all(ended) or time.monotonic() >= deadline:
            break
        time.sleep(_POLL_S)
    causes = [rank for rank in failed if running[rank].returncode != ProcessLostError.exit_code]
    return next(iter(causes or failed), None)


def _interrupt(running: Sequence[subprocess.Popen[bytes]]) -> None:
    """Ask all processes to save and end; wait for the first one, and `_GRACE_S` for the others.

    Raises:
        KeyboardInterrupt: on a second Ctrl-C.
    """
    for process in running:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
    for process in running[:1]:
        process.wait()
    deadline = time.monotonic() + _GRACE_S
    while any(process.poll() is None for process in running) and time.monotonic() < deadline:
        time.sleep(_POLL_S)


def _kill(running: Sequence[subprocess.Popen[bytes]]) -> None:
    """Kill the processes that are still running."""
    for process in running:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
