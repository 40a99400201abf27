"""Versions of the packages that run a network, for run cards."""

from __future__ import annotations

from importlib.metadata import version

import torch


def torch_versions() -> dict[str, str]:
    """Versions of PyTorch and open_clip."""
    return {"torch": torch.__version__, "open_clip": version("open_clip_torch")}
