"""CPU, memory and GPUs, as far as PyTorch can use them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import torch

from moeclip_cli.doctor.finding import Finding
from moeclip_cli.parallel.cores import available_cores
from moeclip_cli.parallel.device import limit_threads

# Exists on Linux if NVIDIA's driver is running.
_NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")


def hardware() -> Iterator[Finding]:
    """Yield the CPU, the memory and every GPU that PyTorch finds."""
    limit_threads()
    yield Finding("cpu", f"{available_cores()} cores, torch uses {torch.get_num_threads()}")
    if (memory := _memory()) is not None:
        yield Finding("memory", f"{memory / 2**30:.1f} GiB")
    yield from _gpus()


def _memory() -> int | None:
    """Return the physical memory in bytes; None if the system does not report it."""
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
        yield Finding("mps", "Apple GPU")
    if not torch.cuda.is_available():
        yield _no_cuda()


def _no_cuda() -> Finding:
    if torch.version.cuda is None:
        reason = "torch is not a CUDA build"
        remedy = "install the build that pytorch.org recommends for this machine"
    else:
        reason = f"torch for CUDA {torch.version.cuda} finds no GPU"
        remedy = "update NVIDIA's driver, or install torch for the CUDA version of nvidia-smi"
    unused = f"The NVIDIA GPU cannot be used: {reason}; {remedy}."
    return Finding("cuda", f"none ({reason})", unused if _NVIDIA_DRIVER.exists() else None)
