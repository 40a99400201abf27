"""Training loop of the built-in model."""

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

from mini.batches import Batch, load_batches, normalise
from mini.export import TrainingPosition, export
from mini.fold import fold_text_side
from mini.losses import total_loss
from mini.network import fresh_network, load_weights
from mini.recipe import Recipe
from mini.text_side import fit_text_side, random_names, text_bank
from mini.validation import VALIDATED_PROMPT, Validation, validate
from moeclip_cli.checkpoints.torch_file import read_torch_file
from moeclip_cli.errors import UsageError
from moeclip_cli.model.experts import MoEAdapter
from moeclip_cli.model.moeclip import MoECLIP
from moeclip_cli.training.interruption import deferred_interrupts
from moeclip_cli.training.run_folder import STATE_FILE
from moeclip_cli.training.state import write_torch_file

_MAX_GRADIENT_NORM = 5.0


@dataclass(frozen=True)
class Progress:
    """Progress report of the training.

    Attributes:
        position: length of the training so far.
        fraction: completed fraction of the training.
        losses: mean of each part of the loss since the last report.
        validation: metrics of the averaged weights, if they were just measured.
    """

    position: TrainingPosition
    fraction: float
    losses: dict[str, float]
    validation: Validation | None = None


class Trainer:
    """Network, moving average and optimiser, trained one batch at a time.

    Raises:
        ModelError: if the initial weights of the recipe are missing or corrupt.
        UsageError: if the initial weights do not fit the recipe.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.network = fresh_network(recipe)
        self.before: dict[str, Any] | None = None
        if recipe.start is None:
            fit_text_side(self.network, recipe)
            self.texts = text_bank(self.network, _names(self.network, recipe))
            fold_text_side(self.network)
        else:
            fold_text_side(self.network)
            self.before = load_weights(self.network, Path(recipe.start))
            self.texts = text_bank(self.network, [VALIDATED_PROMPT])
        self.initial = [parameter.detach().clone() for parameter in self.network.parameters()]
        self.network.train()
        self.adapters = [m for m in self.network.modules() if isinstance(m, MoEAdapter)]
        self.averaged = AveragedModel(
            self.network, multi_avg_fn=get_ema_multi_avg_fn(recipe.average)
        )
        self.parameters = [p for p in self.network.parameters() if p.requires_grad]
        self.optimiser = _optimiser(self.network, recipe)

    def step(self, number: int, batch: Batch, rate: float) -> dict[str, float]:
        """Make update number `number`; return the parts of the loss."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        rng = np.random.default_rng([self.recipe.seed, 4, number])
        drawn = torch.from_numpy(rng.integers(len(self.texts), size=len(batch.images)))
        images = normalise(batch.images, self.network.preprocessing)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.bf16):
            comparison = self.network(images, self.texts[drawn])
        loss, parts = total_loss(comparison, self.adapters, batch, self.recipe.etf_weight)
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, _MAX_GRADIENT_NORM)
        self.optimiser.step()
        self.averaged.update_parameters(self.network)
        return parts

    def result(self) -> MoECLIP:
        """Return a network with the averaged weights, mixed with the initial ones."""
        network = copy.deepcopy(cast(MoECLIP, self.averaged.module))
        with torch.no_grad():
            for weight, initial in zip(network.parameters(), self.initial, strict=True):
                weight.lerp_(initial, self.recipe.start_share)
        return network

    def save(self, path: Path, position: TrainingPosition) -> None:
        """Write the state for `restore` atomically; random numbers depend on the step alone."""
        content = {
            "recipe": json.dumps(asdict(self.recipe)),
            "position": asdict(position),
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        write_torch_file(path, content)

    def restore(self, path: Path) -> TrainingPosition:
        """Restore a saved training.

        Raises:
            ModelError: if the file is corrupt.
            UsageError: if it belongs to another recipe.
        """
        content = read_torch_file(path)
        if content["recipe"] != json.dumps(asdict(self.recipe)):
            raise UsageError(f"{path} belongs to another recipe; choose another `out`.")
        self.network.load_state_dict(content["network"])
        self.averaged.load_state_dict(content["averaged"])
        self.optimiser.load_state_dict(content["optimiser"])
        return TrainingPosition(**content["position"])


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
    """Train the built-in model and write its two files to `out`, at the end and after validations.

    Ctrl-C saves the state and stops after the current step.

    Args:
        recipe: recipe of the training.
        out: folder of the files; created if needed.
        minutes: length of the training in minutes, instead of `recipe.steps`.
        workers: number of processes that generate images; 0 for none.
        resume: True to continue from the state in `out`, if any; with the same recipe, the result
            is that of an uninterrupted training.
        report: called every `report_every` steps and after each validation.
        report_every: steps between reports.
        validate_every: seconds between validations, each of which writes the files and the state.

    Returns:
        The last validation, of the weights that were written.

    Raises:
        ModelError: if the initial weights are missing or corrupt.
        UsageError: if `out` contains an unfinished training and `resume` is False, or a training of
            another recipe, if the initial weights do not fit the recipe, or if they are in `out`.
        KeyboardInterrupt: after Ctrl-C, once the state is saved.
    """
    if recipe.start is not None and Path(recipe.start).resolve() == out.resolve():
        raise UsageError(f"{out} contains the initial model; choose another `out`.")
    out.mkdir(parents=True, exist_ok=True)
    state_file = out / STATE_FILE
    if state_file.exists() and not resume:
        raise UsageError(
            f"{out} contains an unfinished training; set `resume` or choose another `out`."
        )
    trainer = Trainer(recipe)
    position = trainer.restore(state_file) if state_file.exists() else TrainingPosition()
    start = time.monotonic() - position.seconds
    last_validated = time.monotonic()
    fraction = _fraction(recipe, minutes, position)
    recent: list[dict[str, float]] = []
    with deferred_interrupts() as interruption:
        while fraction < 1:
            phase = recipe.phase_at(fraction)
            for batch in load_batches(recipe, phase, position.step, workers):
                rate = recipe.rate_at(position.step, fraction)
                recent.append(trainer.step(position.step, batch, rate))
                position = TrainingPosition(
                    position.step + 1, position.images + len(batch.images), time.monotonic() - start
                )
                fraction = min(1.0, _fraction(recipe, minutes, position))
                if position.step % report_every == 0:
                    report(Progress(position, fraction, _mean(recent)))
                    recent = []
                if interruption.requested:
                    trainer.save(state_file, position)
                    raise KeyboardInterrupt
                if time.monotonic() - last_validated > validate_every and fraction < 1:
                    trainer.save(state_file, position)
                    _validate_and_export(trainer, out, position, fraction, report)
                    last_validated = time.monotonic()
                if fraction >= 1 or recipe.phase_at(fraction) != phase:
                    break
    validation = _validate_and_export(trainer, out, position, fraction, report)
    state_file.unlink(missing_ok=True)
    return validation


def _fraction(recipe: Recipe, minutes: float | None, position: TrainingPosition) -> float:
    return position.step / recipe.steps if minutes is None else position.seconds / (60 * minutes)


def _validate_and_export(
    trainer: Trainer,
    out: Path,
    position: TrainingPosition,
    fraction: float,
    report: Callable[[Progress], None],
) -> Validation:
    recipe = trainer.recipe
    network = trainer.result()
    validation = validate(network, recipe)
    report(Progress(position, fraction, {}, validation))
    export(network, recipe, out, validation, position, trainer.before)
    return validation


def _names(network: MoECLIP, recipe: Recipe) -> list[str]:
    """The object names that the image side is trained with."""
    rng = np.random.default_rng([recipe.seed, 3])
    vocabulary = network.backbone.text.token_embedding.num_embeddings
    return random_names(rng, vocabulary, recipe.names)


def _optimiser(network: MoECLIP, recipe: Recipe) -> torch.optim.AdamW:
    decayed: list[Tensor] = []
    free: list[Tensor] = []
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            exempt = parameter.ndim < 2 or "embedding" in name
            (free if exempt else decayed).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": recipe.weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.98), fused=True)


def _mean(parts: list[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([part[name] for part in parts])) for name in parts[0]}
