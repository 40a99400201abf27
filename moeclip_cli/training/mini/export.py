"""The finished model as two files: adapters with their configuration, and the backbone."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from moeclip_cli.checkpoints.builtin import BUILTIN
from moeclip_cli.checkpoints.checkpoint import write_checkpoint
from moeclip_cli.checkpoints.configuration import BackboneRef, CheckpointConfig, Threshold
from moeclip_cli.checkpoints.formats import file_digest
from moeclip_cli.checkpoints.safetensors_file import write_safetensors
from moeclip_cli.model.moeclip import MoECLIP
from moeclip_cli.training.mini.network import open_clip_state
from moeclip_cli.training.mini.recipe import Recipe
from moeclip_cli.training.mini.validation import FALSE_ALARMS, Validation


@dataclass(frozen=True)
class Stand:
    """How far a training is.

    Attributes:
        step: batches done.
        images: images seen.
        seconds: wall time, over all its parts.
    """

    step: int = 0
    images: int = 0
    seconds: float = 0.0


def export(
    network: MoECLIP,
    recipe: Recipe,
    folder: Path,
    validation: Validation,
    stand: Stand,
    before: dict[str, Any] | None = None,
) -> None:
    """Write both files to `folder`, each in one step.

    Args:
        network: the network to write.
        recipe: what it was trained with.
        folder: an existing folder.
        validation: measurements, and the threshold to write.
        stand: what the training took, for the configuration.
        before: how the weights that it began with were trained, for the configuration.

    Raises:
        ModelError: if the folder cannot be written to.
    """
    model = BUILTIN["moeclip-mini"]
    write_safetensors(folder / model.backbone, open_clip_state(network.backbone), {})
    config = CheckpointConfig(
        network=network.config,
        backbone=BackboneRef(model.name, digest=file_digest(folder / model.backbone)),
        domain="industrial",
        threshold=Threshold(validation.threshold, _how(validation)),
        image_weight=recipe.image_weight,
        scales=recipe.scales,
        training={
            "data": "generated textures, parts and panels; moeclip_cli.datasets.synthetic",
            "recipe": asdict(recipe),
            "steps": stand.step,
            "images": stand.images,
            "minutes": round(stand.seconds / 60, 1),
            "hardware": f"{torch.get_num_threads()} CPU threads, {platform.machine()}",
            "torch": torch.__version__,
            "validation": asdict(validation),
            **({} if before is None else {"before": before}),
        },
    )
    write_checkpoint(folder / model.checkpoint, config, network.adapters.state_dict())


def _how(validation: Validation) -> str:
    return (
        f"{FALSE_ALARMS:.0%} false alarms on {validation.pairs} generated normal images "
        "held out of training"
    )
