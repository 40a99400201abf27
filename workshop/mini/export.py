"""Export of the model as two files: adapters with their configuration, and the backbone."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from mini.recipe import Recipe
from mini.validation import FALSE_ALARMS, VALIDATED_PROMPT, Validation
from moeclip_cli.checkpoints.builtin import BUILTIN
from moeclip_cli.checkpoints.checkpoint import write_checkpoint
from moeclip_cli.checkpoints.configuration import BackboneRef, CheckpointConfig, Threshold
from moeclip_cli.checkpoints.formats import file_digest
from moeclip_cli.checkpoints.safetensors_file import write_safetensors
from moeclip_cli.inspection.conformal import describe_conformal
from moeclip_cli.model.backbones.clip import open_clip_state
from moeclip_cli.model.moeclip import MoECLIP


@dataclass(frozen=True)
class TrainingPosition:
    """Progress of a training.

    Attributes:
        step: number of completed batches.
        images: number of images seen.
        seconds: wall time over all sessions.
    """

    step: int = 0
    images: int = 0
    seconds: float = 0.0


def export(
    network: MoECLIP,
    recipe: Recipe,
    folder: Path,
    validation: Validation,
    position: TrainingPosition,
    before: dict[str, Any] | None = None,
) -> None:
    """Write both files to `folder`, each atomically.

    Args:
        network: network to write.
        recipe: recipe of its training.
        folder: existing folder.
        validation: metrics, and the threshold to write.
        position: length of the training, for the configuration.
        before: record of the training of the initial weights, for the configuration.

    Raises:
        ModelError: if the folder is not writable.
    """
    model = BUILTIN["moeclip-mini"]
    state = {name: value.half() for name, value in open_clip_state(network.backbone).items()}
    write_safetensors(folder / model.backbone, state, {})
    config = CheckpointConfig(
        network=network.config,
        backbone=BackboneRef(model.name, digest=file_digest(folder / model.backbone)),
        domain="industrial",
        threshold=Threshold(
            validation.threshold,
            describe_conformal(
                validation.pairs, "generated normal images held out of training", FALSE_ALARMS
            ),
        ),
        image_weight=recipe.image_weight,
        scales=recipe.scales,
        prompt=VALIDATED_PROMPT,
        training={
            "data": "generated textures, parts and panels; moeclip_cli.datasets.synthetic",
            "recipe": asdict(recipe),
            "steps": position.step,
            "images": position.images,
            "minutes": round(position.seconds / 60, 1),
            "hardware": f"{torch.get_num_threads()} CPU threads, {platform.machine()}",
            "torch": torch.__version__,
            "validation": asdict(validation),
            **({} if before is None else {"before": before}),
        },
    )
    write_checkpoint(folder / model.checkpoint, config, network.adapters.state_dict())
