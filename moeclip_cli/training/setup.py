"""What a training works with, and how it runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from moeclip_cli.checkpoints.configuration import BackboneRef
from moeclip_cli.model.moeclip import MoECLIP
from moeclip_cli.training.configuration import TrainingConfig
from moeclip_cli.training.examples import Examples
from moeclip_cli.training.run_folder import TrainingFolder


@dataclass(frozen=True)
class Habits:
    """How a training runs; nothing here changes a trained number.

    Attributes:
        workers: threads that load images.
        save_minutes: time between saves within an epoch.
        log_every: steps that a row of metrics.csv is the mean of.
        sample_every: steps between pictures; None for every epoch.
        samples: how many images are drawn.
        keep_epochs: whether every epoch's adapters are kept.
        tensorboard: whether to write for TensorBoard too.
    """

    workers: int = 4
    save_minutes: float = 10.0
    log_every: int = 10
    sample_every: int | None = None
    samples: int = 4
    keep_epochs: bool = False
    tensorboard: bool = False


@dataclass(frozen=True, eq=False)
class Setup:
    """What a training works with.

    Attributes:
        config: the hyper-parameters.
        network: with fresh adapters, float32, on the CPU.
        backbone: how the checkpoint names the frozen CLIP.
        training: what is trained on.
        held_out: what is validated on, if anything.
        folder: where results go; None in all processes but the main one.
        path: of that folder.
        resumed: whether to go on from the state there.
        device: where to train.
        habits: how to run.
    """

    config: TrainingConfig
    network: MoECLIP
    backbone: BackboneRef
    training: Examples
    held_out: Examples | None
    folder: TrainingFolder | None
    path: Path
    resumed: bool
    device: torch.device
    habits: Habits
