"""Versions of the packages that run a network, for run cards."""

from __future__ import annotations

import open_clip
import torch


def torch_versions() -> dict[str, str]:
    """Versions of PyTorch and open_clip."""
    return {"torch": torch.__version__, "open_clip": open_clip.__version__}
