"""The environment of a run for its card: device, versions and command line."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import cv2
import numpy
import PIL

from moeclip_cli._version import __version__


def describe_environment(
    device_name: str, command: str, versions: Mapping[str, str]
) -> dict[str, Any]:
    """Command line and its folder, start time, device and versions, for a run card.

    Args:
        device_name: device of the network in words.
        command: the command line.
        versions: of the packages that run the network, by their names.
    """
    return {
        "command": command,
        "directory": str(Path.cwd()),
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "device": device_name,
        "platform": platform.platform(),
        "python": platform.python_version(),
        "moeclip": __version__,
        **versions,
        "numpy": numpy.__version__,
        "opencv": cv2.__version__,
        "pillow": PIL.__version__,
    }
