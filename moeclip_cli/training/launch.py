"""Several processes of one training on this machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import torch

from moeclip_cli.errors import UsageError

# A process that waits for a failed one never ends by itself.
_GRACE_S = 10.0
_POLL_S = 0.1


def launch(arguments: Sequence[str], processes: int, device: torch.device) -> int:
    """Run `moeclip ARGUMENTS` in several processes that know of each other.

    The first one speaks for all; of the others only what a failed one says is shown.

    Args:
        arguments: of the command, without the program's name.
        processes: how many.
        device: where they train; a CUDA device stands for one GPU for each.

    Returns:
        The exit code: that of the first process that failed, else 0.

    Raises:
        UsageError: if there are not enough GPUs.
    """
    if device.type == "cuda" and processes > (gpus := torch.cuda.device_count()):
        raise UsageError(f"There are {gpus} GPUs for {processes} --processes; use at most {gpus}.")
    command = [sys.executable, "-m", "moeclip_cli", *arguments]
    threads = max(1, (os.cpu_count() or 1) // processes)
    common = {
        "OMP_NUM_THREADS": str(threads),
        **os.environ,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(_free_port()),
        "WORLD_SIZE": str(processes),
    }
    with ExitStack() as stack:
        stack.enter_context(_termination_as_interrupt())
        said = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(processes)]
        running = []
        for rank in range(processes):
            env = common | {"RANK": str(rank), "LOCAL_RANK": str(rank)}
            streams = {} if rank == 0 else {"stdout": subprocess.DEVNULL, "stderr": said[rank]}
            # In a session of their own, so that Ctrl-C reaches them once, through this process.
            running.append(
                subprocess.Popen(command, env=env, start_new_session=True, **streams)  # type: ignore[call-overload]
            )
        failed = _wait(running)
        if failed is None:
            return 0
        if running[failed].returncode != running[0].returncode:  # else the first one has said it
            said[failed].seek(0)
            sys.stderr.write(said[failed].read().decode(errors="replace"))
        return abs(int(running[failed].returncode))


def _wait(running: list[subprocess.Popen[bytes]]) -> int | None:
    """Wait for all; the number of the first that failed, after which the others are ended."""
    try:
        while any(process.poll() is None for process in running):
            if any(process.poll() for process in running):
                break
            time.sleep(_POLL_S)
    except KeyboardInterrupt:
        _interrupt(running)
        raise
    failed = next((rank for rank, process in enumerate(running) if process.poll()), None)
    if failed is not None:
        _end(running)
    return failed


def _interrupt(running: list[subprocess.Popen[bytes]]) -> None:
    """Ask all to save and end; a second Ctrl-C ends them at once."""
    for process in running:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
    try:
        for process in running:
            process.wait()
    except KeyboardInterrupt:
        for process in running:
            process.kill()
        raise


def _end(running: list[subprocess.Popen[bytes]]) -> None:
    """Give the processes time to end by themselves, then end them."""
    deadline = time.monotonic() + _GRACE_S
    while any(process.poll() is None for process in running) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
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
