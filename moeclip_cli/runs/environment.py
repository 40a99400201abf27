"""The environment of a run for its card: device, versions and command line."""

from __future__ import annotations

import platform
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import cv2
import numpy
import open_clip
import PIL
import torch

from moeclip_cli._version import __version__
from moeclip_cli.parallel.device import describe_device


def describe_environment(device: torch.device, command: str) -> dict[str, Any]:
    """Command line and its folder, start time, device and versions, for a run card."""
    return {
        "command": command,
        "directory": str(Path.cwd()),
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "device": describe_device(device),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "moeclip": __version__,
        "torch": torch.__version__,
        "open_clip": open_clip.__version__,
        "numpy": numpy.__version__,
        "opencv": cv2.__version__,
        "pillow": PIL.__version__,
    }
