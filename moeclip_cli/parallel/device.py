"""Device and precision that the network runs on."""

from __future__ import annotations

import os

import torch

from moeclip_cli.arguments import require_device_name
from moeclip_cli.errors import UsageError
from moeclip_cli.parallel.cores import available_cores

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

# Larger batches are not faster on a CPU (benchmarks/batch_size.py), and a kill loses more of them.
_BATCH_SIZES = {"cpu": 2, "mps": 8, "cuda": 16}


def choose_device(name: str) -> torch.device:
    """Return the device named "auto", "cpu", "cuda", "cuda:N" or "mps".

    "auto" selects the first CUDA device, else Apple's GPU, else the CPU. Threads of PyTorch that
    the processor time of a container does not allow are taken away; see `limit_threads`.

    Raises:
        UsageError: if the name is unknown or the device is not available.
    """
    limit_threads()
    if require_device_name(name) == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", 0)
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UsageError("PyTorch cannot use an Apple GPU on this machine; set `device` to auto.")
    if device.type == "cuda":
        _require_cuda(device.index or 0)
        device = torch.device("cuda", device.index or 0)
    return device


def limit_threads() -> None:
    """Let PyTorch compute with no more threads than there is processor time for.

    PyTorch knows which cores a process may use, but not how much of their time (`cpu_quota`). A
    number in `OMP_NUM_THREADS` is left as it is.
    """
    if "OMP_NUM_THREADS" in os.environ:
        return
    cores = available_cores()
    if torch.get_num_threads() > cores:
        torch.set_num_threads(cores)


def choose_precision(name: str) -> torch.dtype:
    """Return the floating-point type named "auto", "fp32", "bf16" or "fp16".

    "auto" is float32 on every device, so that scores do not depend on the device.

    Raises:
        UsageError: if the name is unknown.
    """
    if name == "auto":
        return torch.float32
    if name not in _DTYPES:
        raise UsageError(f"Unknown precision '{name}'; use auto, {', '.join(_DTYPES)}.")
    return _DTYPES[name]


def default_batch_size(device: torch.device) -> int:
    """Return the default number of images per forward pass on `device`."""
    return _BATCH_SIZES[device.type]


def describe_device(device: torch.device) -> str:
    """Return a description such as "cpu, 8 threads" or "cuda:0 (NVIDIA H200)"."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    if device.type == "cpu":
        threads = torch.get_num_threads()
        return f"cpu, {threads} thread{'' if threads == 1 else 's'}"
    return str(device)


def _require_cuda(index: int) -> None:
    if not torch.cuda.is_available():
        reason = "it is a CPU build" if torch.version.cuda is None else "no GPU was found"
        raise UsageError(f"PyTorch cannot use a CUDA GPU ({reason}); set `device` to cpu.")
    if index >= torch.cuda.device_count():
        raise UsageError(
            f"Device cuda:{index} does not exist; the last GPU is "
            f"cuda:{torch.cuda.device_count() - 1}."
        )
