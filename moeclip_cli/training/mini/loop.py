"""The training loop of the built-in model."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from moeclip_cli.model.experts import MoEAdapter
from moeclip_cli.model.moeclip import MoECLIP
from moeclip_cli.training.mini.batches import Batch, load_batches, normalise
from moeclip_cli.training.mini.export import Effort, export
from moeclip_cli.training.mini.losses import total_loss
from moeclip_cli.training.mini.network import fresh_network
from moeclip_cli.training.mini.recipe import Recipe
from moeclip_cli.training.mini.text_side import fit_text_side, random_names, text_bank
from moeclip_cli.training.mini.validation import Validation, validate

_LARGEST_GRADIENT = 5.0


@dataclass(frozen=True)
class Progress:
    """Where the training stands.

    Attributes:
        step: batches done.
        fraction: of the whole training.
        seconds: since the start.
        images: seen so far.
        losses: parts of the loss, means since the last report.
        validation: measurements of the averaged weights, where this report follows one.
    """

    step: int
    fraction: float
    seconds: float
    images: int
    losses: dict[str, float]
    validation: Validation | None = None


class Trainer:
    """Network, moving average and optimiser, one batch at a time."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.network = fresh_network(recipe)
        self.text_cosine = fit_text_side(self.network, recipe)
        self.network.train()
        self.adapters = [m for m in self.network.modules() if isinstance(m, MoEAdapter)]
        rng = np.random.default_rng([recipe.seed, 3])
        vocabulary = self.network.backbone.text.token_embedding.num_embeddings
        self.texts = text_bank(self.network, random_names(rng, vocabulary, recipe.names))
        self.averaged = AveragedModel(
            self.network, multi_avg_fn=get_ema_multi_avg_fn(recipe.average)
        )
        self.parameters = [p for p in self.network.parameters() if p.requires_grad]
        self.optimiser = _optimiser(self.network, recipe)
        self.generator = torch.Generator().manual_seed(recipe.seed)

    def step(self, batch: Batch, rate: float) -> dict[str, float]:
        """One update; returns the parts of the loss."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        drawn = torch.randint(len(self.texts), (len(batch.images),), generator=self.generator)
        # For a few hundred tokens plain attention's gradient is twice as fast as the fused one's.
        with (
            sdpa_kernel(SDPBackend.MATH),
            torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.bf16),
        ):
            comparison = self.network(normalise(batch.images), self.texts[drawn])
        loss, parts = total_loss(comparison, self.adapters, batch)
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, _LARGEST_GRADIENT)
        self.optimiser.step()
        self.averaged.update_parameters(self.network)
        return parts

    @property
    def result(self) -> MoECLIP:
        """The network with averaged weights."""
        return cast(MoECLIP, self.averaged.module)


def train_mini(
    recipe: Recipe,
    out: Path,
    *,
    minutes: float | None = None,
    workers: int = 2,
    report: Callable[[Progress], None] = lambda progress: None,
    report_every: int = 50,
    validate_every: float = 600,
) -> Validation:
    """Train the built-in model and write its two files to `out`, also now and then on the way.

    Args:
        recipe: what to train and how.
        out: folder of the files, made if needed.
        minutes: time instead of `recipe.steps` decides how far the training is and when it ends.
        workers: processes that generate images; 0 for none.
        report: called every `report_every` steps and after each validation.
        report_every: steps between reports.
        validate_every: seconds between validations, each of which writes the files.

    Returns:
        The last validation, of the weights that were written.
    """
    out.mkdir(parents=True, exist_ok=True)
    start = last_validated = time.monotonic()
    trainer = Trainer(recipe)
    recent: list[dict[str, float]] = []
    step = images = 0
    fraction = 0.0
    while fraction < 1:
        phase = recipe.phase_at(fraction)
        for batch in load_batches(recipe.seed, phase, step, workers):
            recent.append(trainer.step(batch, recipe.rate_at(step, fraction)))
            step, images = step + 1, images + len(batch.images)
            now = time.monotonic()
            fraction = min(1.0, _fraction(recipe, minutes, step, now - start))
            progress = Progress(step, fraction, now - start, images, _mean(recent))
            if step % report_every == 0:
                report(progress)
                recent = []
            if now - last_validated > validate_every and fraction < 1:
                _validate_and_export(trainer, out, progress, report)
                last_validated = time.monotonic()
            if fraction >= 1 or recipe.phase_at(fraction) != phase:
                break
    return _validate_and_export(trainer, out, progress, report)


def _fraction(recipe: Recipe, minutes: float | None, step: int, seconds: float) -> float:
    return step / recipe.steps if minutes is None else seconds / (60 * minutes)


def _validate_and_export(
    trainer: Trainer, out: Path, progress: Progress, report: Callable[[Progress], None]
) -> Validation:
    recipe = trainer.recipe
    validation = validate(trainer.result, recipe.image_size, recipe.validation_pairs)
    report(replace(progress, losses={}, validation=validation))
    effort = Effort(progress.step, progress.images, progress.seconds)
    export(trainer.result, recipe, out, validation, effort)
    return validation


def _optimiser(network: MoECLIP, recipe: Recipe) -> torch.optim.AdamW:
    decayed: list[Tensor] = []
    free: list[Tensor] = []
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            keep = parameter.ndim < 2 or "embedding" in name
            (free if keep else decayed).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": recipe.weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.98), fused=True)


def _mean(parts: list[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([part[name] for part in parts])) for name in parts[0]}
