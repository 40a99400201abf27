"""Processors, memory and GPUs, and which of them torch can use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import torch

from moeclip_cli.doctor.finding import Finding
from moeclip_cli.parallel.cores import available_cores

# There as soon as NVIDIA's driver runs, on Linux.
_DRIVER = Path("/proc/driver/nvidia/version")


def hardware() -> Iterator[Finding]:
    """The processor, the memory, and every GPU that torch sees."""
    yield Finding("cpu", f"{available_cores()} cores, torch uses {torch.get_num_threads()}")
    if (memory := _memory()) is not None:
        yield Finding("memory", f"{memory / 2**30:.1f} GiB")
    yield from _gpus()


def _memory() -> int | None:
    """Bytes of memory, where the system tells."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _gpus() -> Iterator[Finding]:
    for index in range(torch.cuda.device_count()):
        gpu = torch.cuda.get_device_properties(index)
        value = f"{gpu.name}, {gpu.total_memory / 2**30:.0f} GiB, compute {gpu.major}.{gpu.minor}"
        yield Finding(f"cuda:{index}", value)
    if torch.backends.mps.is_available():
        yield Finding("mps", "Apple's GPU")
    if not torch.cuda.is_available():
        yield _no_cuda()


def _no_cuda() -> Finding:
    if torch.version.cuda is None:
        why = "this torch is not a CUDA build"
        remedy = f"{why}: install the one that pytorch.org names for this machine"
    else:
        built = f"torch, built for CUDA {torch.version.cuda},"
        why = f"{built} finds no GPU"
        remedy = (
            f"{built} cannot use it: update NVIDIA's driver, or install a torch for the CUDA that "
            "nvidia-smi shows"
        )
    problem = f"There is an NVIDIA GPU, but {remedy}." if _DRIVER.exists() else None
    return Finding("cuda", f"none ({why})", problem)
