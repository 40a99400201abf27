"""The training loop of the built-in model."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from moeclip_cli.checkpoints.torch_file import read_torch_file
from moeclip_cli.errors import UsageError
from moeclip_cli.model.experts import MoEAdapter
from moeclip_cli.model.moeclip import MoECLIP
from moeclip_cli.training.interruption import deferred_interrupts
from moeclip_cli.training.mini.batches import Batch, load_batches, normalise
from moeclip_cli.training.mini.export import Stand, export
from moeclip_cli.training.mini.losses import total_loss
from moeclip_cli.training.mini.network import fresh_network, load_weights
from moeclip_cli.training.mini.recipe import Recipe
from moeclip_cli.training.mini.text_side import (
    fit_text_side,
    freeze_text_side,
    random_names,
    text_bank,
)
from moeclip_cli.training.mini.validation import Validation, validate
from moeclip_cli.training.state import STATE_FILE, write_torch_file

_LARGEST_GRADIENT = 5.0


@dataclass(frozen=True)
class Progress:
    """A report on the training.

    Attributes:
        stand: what is done.
        fraction: of the whole training.
        losses: parts of the loss, means since the last report.
        validation: measurements of the averaged weights, where this report follows one.
    """

    stand: Stand
    fraction: float
    losses: dict[str, float]
    validation: Validation | None = None


class Trainer:
    """Network, moving average and optimiser, one batch at a time.

    Raises:
        ModelError: if the weights that the recipe starts with are missing or damaged.
        UsageError: if they do not fit the recipe.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.network = fresh_network(recipe)
        self.before: dict[str, Any] | None = None
        if recipe.start is None:
            fit_text_side(self.network, recipe)
        else:
            self.before = load_weights(self.network, Path(recipe.start))
            freeze_text_side(self.network)
        self.begun = [parameter.detach().clone() for parameter in self.network.parameters()]
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

    def step(self, number: int, batch: Batch, rate: float) -> dict[str, float]:
        """Update number `number`; returns the parts of the loss."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        rng = np.random.default_rng([self.recipe.seed, 4, number])
        drawn = torch.from_numpy(rng.integers(len(self.texts), size=len(batch.images)))
        with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.bf16):
            comparison = self.network(normalise(batch.images), self.texts[drawn])
        loss, parts = total_loss(comparison, self.adapters, batch, self.recipe.etf_weight)
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, _LARGEST_GRADIENT)
        self.optimiser.step()
        self.averaged.update_parameters(self.network)
        return parts

    def result(self) -> MoECLIP:
        """A network with averaged weights, mixed with those that the training began with."""
        network = copy.deepcopy(cast(MoECLIP, self.averaged.module))
        with torch.no_grad():
            for weight, begun in zip(network.parameters(), self.begun, strict=True):
                weight.lerp_(begun, self.recipe.kept)
        return network

    def save(self, path: Path, stand: Stand) -> None:
        """Write all that `restore` needs, in one step; what is random follows from the numbers."""
        content = {
            "recipe": json.dumps(asdict(self.recipe)),
            "stand": asdict(stand),
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        write_torch_file(path, content)

    def restore(self, path: Path) -> Stand:
        """Take up a training where it was saved.

        Raises:
            ModelError: if the file is damaged.
            UsageError: if it is of another recipe.
        """
        content = read_torch_file(path)
        if content["recipe"] != json.dumps(asdict(self.recipe)):
            raise UsageError(f"{path} belongs to another recipe; choose another folder.")
        self.network.load_state_dict(content["network"])
        self.averaged.load_state_dict(content["averaged"])
        self.optimiser.load_state_dict(content["optimiser"])
        return Stand(**content["stand"])


def train_mini(
    recipe: Recipe,
    out: Path,
    *,
    minutes: float | None = None,
    workers: int = 2,
    resume: bool = False,
    report: Callable[[Progress], None] = lambda progress: None,
    report_every: int = 50,
    validate_every: float = 600,
) -> Validation:
    """Train the built-in model and write its two files to `out`, also now and then on the way.

    Ctrl-C saves and stops after the step.

    Args:
        recipe: what to train and how.
        out: folder of the files, made if needed.
        minutes: time instead of `recipe.steps` decides how far the training is and when it ends.
        workers: processes that generate images; 0 for none.
        resume: go on from the state that `out` holds, if any; with the same recipe the result is
            that of a training that was never interrupted.
        report: called every `report_every` steps and after each validation.
        report_every: steps between reports.
        validate_every: seconds between validations, each of which writes the files and the state.

    Returns:
        The last validation, of the weights that were written.

    Raises:
        ModelError: if the weights that the recipe starts with are missing or damaged.
        UsageError: if `out` holds an unfinished training and `resume` is not set, or one of
            another recipe and it is, if the weights to start with do not fit the recipe, or if
            they are in `out`.
        KeyboardInterrupt: after Ctrl-C, when all is saved.
    """
    if recipe.start is not None and Path(recipe.start).resolve() == out.resolve():
        raise UsageError(f"{out} holds the model to start with; choose another folder to write to.")
    out.mkdir(parents=True, exist_ok=True)
    saved = out / STATE_FILE
    if saved.exists() and not resume:
        raise UsageError(f"{out} holds an unfinished training; resume it or choose another folder.")
    trainer = Trainer(recipe)
    stand = trainer.restore(saved) if saved.exists() else Stand()
    start = time.monotonic() - stand.seconds
    last_validated = time.monotonic()
    fraction = _fraction(recipe, minutes, stand)
    recent: list[dict[str, float]] = []
    with deferred_interrupts() as interruption:
        while fraction < 1:
            phase = recipe.phase_at(fraction)
            for batch in load_batches(recipe, phase, stand.step, workers):
                recent.append(trainer.step(stand.step, batch, recipe.rate_at(stand.step, fraction)))
                stand = Stand(
                    stand.step + 1, stand.images + len(batch.images), time.monotonic() - start
                )
                fraction = min(1.0, _fraction(recipe, minutes, stand))
                if stand.step % report_every == 0:
                    report(Progress(stand, fraction, _mean(recent)))
                    recent = []
                if interruption.requested:
                    trainer.save(saved, stand)
                    raise KeyboardInterrupt
                if time.monotonic() - last_validated > validate_every and fraction < 1:
                    trainer.save(saved, stand)
                    _validate_and_export(trainer, out, stand, fraction, report)
                    last_validated = time.monotonic()
                if fraction >= 1 or recipe.phase_at(fraction) != phase:
                    break
    validation = _validate_and_export(trainer, out, stand, fraction, report)
    saved.unlink(missing_ok=True)
    return validation


def _fraction(recipe: Recipe, minutes: float | None, stand: Stand) -> float:
    return stand.step / recipe.steps if minutes is None else stand.seconds / (60 * minutes)


def _validate_and_export(
    trainer: Trainer,
    out: Path,
    stand: Stand,
    fraction: float,
    report: Callable[[Progress], None],
) -> Validation:
    recipe = trainer.recipe
    network = trainer.result()
    validation = validate(network, recipe)
    report(Progress(stand, fraction, {}, validation))
    export(network, recipe, out, validation, stand, trainer.before)
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
