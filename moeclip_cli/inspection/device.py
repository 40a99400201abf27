"""Where the network runs and in which precision."""

from __future__ import annotations

import re

import torch

from moeclip_cli.errors import UsageError

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

# More images at once do not make a CPU faster (benchmarks/batch_size.py), but a kill loses more.
_BATCH_SIZES = {"cpu": 2, "mps": 8, "cuda": 16}


def choose_device(name: str) -> torch.device:
    """The device called `name`: "auto", "cpu", "cuda", "cuda:N" or "mps".

    "auto" is the first CUDA device, else Apple's GPU, else the CPU.

    Raises:
        UsageError: if the name is unknown or this machine has no such device.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", 0)
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", name):
        raise UsageError(f"'{name}' is no device; use auto, cpu, cuda, cuda:N or mps.")
    device = torch.device(name)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UsageError("There is no Apple GPU that torch can use here; use --device auto.")
    if device.type == "cuda":
        _require_cuda(device.index or 0)
        device = torch.device("cuda", device.index or 0)
    return device


def choose_precision(name: str) -> torch.dtype:
    """The floating-point type called `name`: "auto", "fp32", "bf16" or "fp16".

    "auto" is float32 on every device, so that a score is the same on all of them.

    Raises:
        UsageError: if the name is unknown.
    """
    if name == "auto":
        return torch.float32
    if name not in _DTYPES:
        raise UsageError(f"'{name}' is no precision; use auto, {', '.join(_DTYPES)}.")
    return _DTYPES[name]


def default_batch_size(device: torch.device) -> int:
    """How many images to score at once on `device` unless the user says."""
    return _BATCH_SIZES[device.type]


def describe_device(device: torch.device) -> str:
    """The device in words, such as "cpu, 8 threads" or "cuda:0 (NVIDIA H200)"."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    if device.type == "cpu":
        threads = torch.get_num_threads()
        return f"cpu, {threads} thread{'' if threads == 1 else 's'}"
    return str(device)


def ran_out_of_memory(error: RuntimeError) -> bool:
    """Whether torch failed for want of memory, on any device."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    return bool(re.search(r"out of memory|can't allocate memory|not enough memory", str(error)))


def _require_cuda(index: int) -> None:
    if not torch.cuda.is_available():
        why = "this torch is a CPU build" if torch.version.cuda is None else "none was found"
        raise UsageError(f"There is no CUDA GPU that torch can use ({why}); use --device cpu.")
    if index >= torch.cuda.device_count():
        raise UsageError(
            f"There is no cuda:{index} here; the last GPU is cuda:{torch.cuda.device_count() - 1}."
        )
