"""Small trainings for tests, in this process or in one that is killed."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from moeclip_cli.errors import UsageError
from moeclip_cli.model.config import NetworkConfig
from moeclip_cli.training.configuration import TrainingConfig
from moeclip_cli.training.network import find_training_backbone
from moeclip_cli.training.session import Destination, RuntimeOptions, TrainingRun, prepare_run
from moeclip_cli.training.trainer import train

# Two and a half epochs of four steps, with every random element.
CONFIG = TrainingConfig(
    data="synthetic",
    val_fraction=0.5,
    network=NetworkConfig(layers=(2, 4, 6, 8), rank=4, alpha=8.0, image_size=70),
    epochs=3,
    max_steps=10,
    epoch_images=8,
    learning_rate=1e-3,
    milestones=(5,),
)


@dataclass(frozen=True)
class Job:
    """A training, and where it is interrupted."""

    out: Path
    backbone: Path
    config: TrainingConfig = CONFIG
    save_minutes: float = 1000.0
    resume: bool = False
    strike_at: int | None = None
    in_validation: bool = False

    def prepare(self, **changes) -> TrainingRun:
        backbone = find_training_backbone(None, None, self.backbone)
        options = RuntimeOptions(workers=0, save_minutes=self.save_minutes, log_every=2, samples=0)
        return prepare_run(
            self.config,
            backbone,
            replace(options, **changes),
            Destination(self.out, "a test", resume=self.resume),
            device=torch.device("cpu"),
            backbone_options={"backbone_weights": str(self.backbone)},
        )

    def run(self, strike=None) -> dict:
        """Train; call `strike` after step `strike_at`."""

        def report(progress):
            here = progress.step == self.strike_at
            if here and self.in_validation == (progress.validation is not None):
                strike()

        return train(self.prepare(), report)

    def run_in_process(self, target) -> int:
        """Run `target(job)` in a process of its own; returns its exit code."""
        context = multiprocessing.get_context("forkserver")
        # Once for all processes: importing torch takes longer than a small training.
        context.set_forkserver_preload(["moeclip_cli.training.session"])
        process = context.Process(target=target, args=(self,))
        process.start()
        process.join()
        return process.exitcode


def train_until_killed(job: Job) -> None:
    torch.set_num_threads(1)
    job.run(lambda: os.kill(os.getpid(), signal.SIGKILL))


def train_on_a_full_disk(job: Job) -> None:
    """From the step on, files are limited to a kilobyte; the error is written to `message.txt`."""
    torch.set_num_threads(1)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        job.run(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard)))
    except UsageError as error:
        (job.out / "message.txt").write_text(str(error))
        os._exit(77)
