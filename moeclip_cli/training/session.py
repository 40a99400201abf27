"""From what a user asked for to a training that is ready to start."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch

from moeclip_cli.errors import UsageError
from moeclip_cli.parallel.world import is_main_process, process_count
from moeclip_cli.runs.card import environment
from moeclip_cli.training.configuration import TrainingConfig
from moeclip_cli.training.examples import open_examples
from moeclip_cli.training.network import FoundBackbone, build_untrained
from moeclip_cli.training.run_folder import TrainingFolder
from moeclip_cli.training.setup import Habits, Setup
from moeclip_cli.training.state import STATE_FILE


def open_session(
    config: TrainingConfig,
    backbone: FoundBackbone,
    habits: Habits,
    *,
    out: Path,
    device: torch.device,
    command: str,
    data_root: Path | None = None,
    backbone_options: dict[str, str] | None = None,
    overwrite: bool = False,
    resume: bool = False,
) -> Setup:
    """Open the data, claim the folder and build the network.

    Args:
        config: the hyper-parameters.
        backbone: the frozen CLIP.
        habits: how to run.
        out: folder of the training.
        device: where to train.
        command: for the run card.
        data_root: where the published datasets lie.
        backbone_options: how the user named the backbone, for `train.toml`.
        overwrite: replace an earlier training in `out`.
        resume: go on with the one in `out`.

    Raises:
        UsageError: if the folder or the number of processes does not fit.
        DatasetError: if the data cannot be trained on.
        ModelError: if the configuration does not fit the backbone.
    """
    _check_processes(config)
    training, held_out = open_examples(config, data_root)
    network = build_untrained(config.network, backbone, config.seed)
    folder = None
    if is_main_process():
        settings = {
            "training": config.to_dict(),
            "backbone": asdict(backbone.ref),
            "data": {
                "training": training.digest,
                "validation": held_out.digest if held_out else None,
            },
        }
        facts = environment(device, command) | {"processes": process_count()}
        folder = TrainingFolder.claim(out, settings, facts, overwrite=overwrite, resume=resume)
        folder.write_options({**(backbone_options or {}), **config.options()})
    return Setup(
        config=config,
        network=network,
        backbone=backbone.ref,
        training=training,
        held_out=held_out,
        folder=folder,
        path=out,
        resumed=resume and (out / STATE_FILE).exists(),
        device=device,
        habits=habits,
    )


def _check_processes(config: TrainingConfig) -> None:
    parts = process_count() * config.accumulate
    if config.batch_size % parts:
        raise UsageError(
            f"A batch of {config.batch_size} images cannot be shared by {process_count()} "
            f"processes in {config.accumulate} parts each; choose --batch-size as a multiple of "
            f"{parts}."
        )
