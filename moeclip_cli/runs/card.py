"""What a run card records: everything that made the numbers."""

from __future__ import annotations

import platform
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import cv2
import numpy
import open_clip
import PIL
import torch

from moeclip_cli import __version__
from moeclip_cli.inspection.device import describe_device
from moeclip_cli.inspection.profile import scoring_settings
from moeclip_cli.reports.html_page import RunFacts

if TYPE_CHECKING:
    from moeclip_cli.inspection.inspector import Inspector
    from moeclip_cli.runs.score_run import Outputs


def score_settings(
    inspector: Inspector, outputs: Outputs, *, prompt: str, prompt_rules: str | None
) -> dict[str, Any]:
    """Everything that decides what the rows of a run say and which files come with them.

    A run can be resumed only with equal settings. Device, batch size and workers are not among
    them: they do not change a score.

    Args:
        inspector: what scores.
        outputs: what is written.
        prompt: the prompt of images without a rule.
        prompt_rules: text of the file of prompt rules, if there is one.
    """
    return {
        **scoring_settings(inspector),
        "threshold": inspector.threshold.value,
        "threshold_source": inspector.threshold.source,
        "max_pixels": inspector.max_pixels,
        "prompt": prompt,
        "prompt_rules": prompt_rules,
        "table_format": outputs.table_format,
        "heatmaps": outputs.heatmaps,
        "save_maps": outputs.save_maps,
    }


def report_facts(inspector: Inspector, prompt: str, *, mixed: bool) -> RunFacts:
    """What the head of a report says about a run.

    Args:
        inspector: what scores.
        prompt: the prompt of images without a rule.
        mixed: whether there are rules that give some images other prompts.
    """
    return RunFacts(
        model=inspector.model.name,
        prompt=f"{prompt}, and others by rule" if mixed else prompt,
        threshold=inspector.threshold.value,
        threshold_source=inspector.threshold.source,
        device=describe_device(inspector.device),
        started=datetime.now(timezone.utc).astimezone(),
        version=__version__,
    )


def environment(device: torch.device, command: str) -> dict[str, Any]:
    """What else a reader of the numbers may need: when, where, with which versions."""
    return {
        "command": command,
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
