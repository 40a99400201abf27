"""Several processes of one command on this machine."""

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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import IO

import torch

from moeclip_cli.errors import ProcessLostError, UsageError
from moeclip_cli.parallel.cores import available_cores

# A process that waits for a failed one never ends by itself.
_GRACE_S = 10.0
_POLL_S = 0.1
_PARENT_EVERY_S = 0.1
_LAUNCHED = "MOECLIP_LAUNCHED"
# What a shell reports for a program that SIGINT ended.
_INTERRUPTED = 128 + signal.SIGINT


def launch(arguments: Sequence[str], processes: int, device: torch.device) -> int:
    """Run `moeclip ARGUMENTS` in several processes that know of each other.

    The first one speaks for all; of the others only what a failed one says is shown.

    Args:
        arguments: of the command, without the program's name.
        processes: how many.
        device: where they work; a CUDA device stands for one GPU for each.

    Returns:
        The exit code: that of the process that failed first by itself, else 0.

    Raises:
        UsageError: if there are not enough GPUs.
        ProcessLostError: if a process was killed.
    """
    if device.type == "cuda" and processes > (gpus := torch.cuda.device_count()):
        raise UsageError(f"There are {gpus} GPUs for {processes} --processes; use at most {gpus}.")
    command = [sys.executable, "-m", "moeclip_cli", *arguments]
    threads = max(1, available_cores() // processes)
    common = {
        "OMP_NUM_THREADS": str(threads),
        **os.environ,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(_free_port()),
        "WORLD_SIZE": str(processes),
        _LAUNCHED: "1",
    }
    with ExitStack() as stack:
        stack.enter_context(_termination_as_interrupt())
        said = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(processes)]
        running: list[subprocess.Popen[bytes]] = []
        try:
            for rank in range(processes):
                env = common | {"RANK": str(rank), "LOCAL_RANK": str(rank)}
                running.append(_start(command, env, None if rank == 0 else said[rank]))
            failed = _wait(running)
        except KeyboardInterrupt:
            _interrupt(running)
            return _INTERRUPTED
        finally:
            _kill(running)
        if failed is None:
            return 0
        code = int(running[failed].returncode)
        if code != running[0].returncode:  # else the first one has said it
            said[failed].seek(0)
            sys.stderr.write(said[failed].read().decode(errors="replace"))
        if code < 0:
            raise ProcessLostError(
                f"Process {failed + 1} of {processes} was ended by {signal.Signals(-code).name}, "
                "perhaps because memory ran out; use fewer --processes or a smaller --batch-size."
            )
        return code


def end_with_launcher() -> None:
    """In a process that `launch` started: interrupt it once `launch` is gone, so that none is left.

    In any other process this does nothing.
    """
    if _LAUNCHED not in os.environ:
        return
    launcher = os.getppid()

    def watch() -> None:
        while os.getppid() == launcher:
            time.sleep(_PARENT_EVERY_S)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=watch, name="moeclip-launcher", daemon=True).start()


def _start(
    command: Sequence[str], env: Mapping[str, str], said: IO[bytes] | None
) -> subprocess.Popen[bytes]:
    """Start a process that speaks to the user, or one whose errors go to `said`."""
    return subprocess.Popen(
        command,
        env=env,
        stdout=None if said is None else subprocess.DEVNULL,
        stderr=said,
        # A session of its own, so that Ctrl-C reaches it once, through this process.
        start_new_session=True,
    )


def _wait(running: Sequence[subprocess.Popen[bytes]]) -> int | None:
    """Wait for all; the number of the one that failed first.

    After a failure the others have some time to end by themselves. One that ended because another
    one did counts only if there is no other.
    """
    failed: list[int] = []
    deadline = math.inf
    while True:
        ended = [process.poll() is not None for process in running]
        failed += [
            rank for rank, each in enumerate(running) if each.returncode and rank not in failed
        ]
        if failed and deadline == math.inf:
            deadline = time.monotonic() + _GRACE_S
        if all(ended) or time.monotonic() >= deadline:
            break
        time.sleep(_POLL_S)
    by_itself = [rank for rank in failed if running[rank].returncode != ProcessLostError.exit_code]
    return next(iter(by_itself or failed), None)


def _interrupt(running: Sequence[subprocess.Popen[bytes]]) -> None:
    """Ask all to save and end; the first one takes its time, but no other is waited for long.

    Raises:
        KeyboardInterrupt: at a second Ctrl-C.
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
    """End what is still running."""
    for process in running:
        process.kill()
        process.wait()


@contextmanager
def _termination_as_interrupt() -> Iterator[None]:
    """Within the block, SIGTERM is what Ctrl-C is."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
