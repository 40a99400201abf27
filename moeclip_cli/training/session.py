"""A training that is ready to start: data, network, output folder and runtime options."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from moeclip_cli.checkpoints.configuration import BackboneRef
from moeclip_cli.errors import UsageError
from moeclip_cli.model.moeclip import MoECLIP
from moeclip_cli.parallel.device import describe_device
from moeclip_cli.parallel.versions import torch_versions
from moeclip_cli.parallel.world import is_main_process, process_count
from moeclip_cli.runs.environment import describe_environment
from moeclip_cli.runs.folder import RunFolder
from moeclip_cli.training.configuration import OutputOptions, TrainingConfig
from moeclip_cli.training.examples import Examples, open_examples
from moeclip_cli.training.network import BackboneWeights, build_untrained
from moeclip_cli.training.order import Order
from moeclip_cli.training.run_folder import STATE_FILE, TRAINING, write_options


@dataclass(frozen=True)
class RuntimeOptions(OutputOptions):
    """Options of a training run that change no trained number.

    Attributes:
        workers: threads that load images.
    """

    workers: int = 4


@dataclass(frozen=True)
class Destination:
    """The output folder of a training, and how to treat an earlier training there.

    Attributes:
        path: the folder.
        command: the command line, for the run card.
        overwrite: replace the earlier training.
        resume: continue the earlier training.
    """

    path: Path
    command: str
    overwrite: bool = False
    resume: bool = False


@dataclass(frozen=True, eq=False)
class TrainingRun:
    """A training that is ready to start.

    Attributes:
        config: the hyper-parameters.
        options: the runtime options.
        device: device to train on.
        network: with fresh adapters, float32, on the CPU.
        backbone: the name of the frozen CLIP for the checkpoint.
        training: the images to train on.
        held_out: the images to validate on, if any.
        path: the output folder.
        folder: the claim on it; None in all processes but the main one.
        resumed: whether to continue from the state in the folder.
    """

    config: TrainingConfig
    options: RuntimeOptions
    device: torch.device
    network: MoECLIP
    backbone: BackboneRef
    training: Examples
    held_out: Examples | None
    path: Path
    folder: RunFolder | None
    resumed: bool

    @cached_property
    def order(self) -> Order:
        """The order of the training images."""
        return Order(len(self.training), self.config.batch_size, self.config.seed)

    @property
    def steps(self) -> int:
        """Total number of steps."""
        steps = self.config.epochs * self.order.steps_per_epoch
        return steps if self.config.max_steps is None else min(steps, self.config.max_steps)

    def epoch_of(self, step: int) -> int:
        """The epoch of a step; both count from 1."""
        return math.ceil(step / self.order.steps_per_epoch)


def prepare_run(
    config: TrainingConfig,
    backbone: BackboneWeights,
    options: RuntimeOptions,
    destination: Destination,
    *,
    device: torch.device,
    data_root: Path | None = None,
    backbone_options: Mapping[str, str] | None = None,
) -> TrainingRun:
    """Open the data, build the network and claim the output folder.

    Args:
        config: the hyper-parameters.
        backbone: the frozen CLIP.
        options: the runtime options.
        destination: the output folder.
        device: device to train on.
        data_root: folder of the published datasets.
        backbone_options: the options that selected the backbone, for `train.toml`.

    Raises:
        UsageError: if the folder cannot be used, or the batch size is not a multiple of the number
            of processes times accumulated parts.
        DatasetError: if the data cannot be trained on.
        ModelError: if the configuration does not fit the backbone.
    """
    _check_batch_size(config)
    training, held_out = open_examples(
        config, data_root, backbone.architecture.family.preprocessing
    )
    network = build_untrained(config.network, backbone, config.seed)
    folder = None
    if is_main_process():
        settings = _settings(config, backbone.ref, training, held_out)
        folder = _claim(destination, settings, device)
        try:
            write_options(destination.path, {**(backbone_options or {}), **config.options()})
        except BaseException:
            folder.close()
            raise
    return TrainingRun(
        config=config,
        options=options,
        device=device,
        network=network,
        backbone=backbone.ref,
        training=training,
        held_out=held_out,
        path=destination.path,
        folder=folder,
        resumed=destination.resume and (destination.path / STATE_FILE).exists(),
    )


def _claim(
    destination: Destination, settings: Mapping[str, Any], device: torch.device
) -> RunFolder:
    environment = describe_environment(
        describe_device(device), destination.command, torch_versions()
    )
    return RunFolder.claim(
        destination.path,
        TRAINING,
        settings,
        environment | {"processes": process_count()},
        overwrite=destination.overwrite,
        resume=destination.resume,
    )


def _settings(
    config: TrainingConfig, backbone: BackboneRef, training: Examples, held_out: Examples | None
) -> dict[str, Any]:
    """Everything that decides the trained numbers; must be equal to resume."""
    return {
        "training": config.to_dict(),
        "backbone": asdict(backbone),
        "data": {
            "training": training.digest,
            "validation": held_out.digest if held_out else None,
        },
    }


def _check_batch_size(config: TrainingConfig) -> None:
    parts = process_count() * config.accumulate
    if config.batch_size % parts:
        raise UsageError(
            f"A batch of {config.batch_size} images cannot be divided among {process_count()} "
            f"processes in {config.accumulate} parts each; choose `batch_size` as a multiple of "
            f"{parts}."
        )
