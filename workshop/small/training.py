"""Training of the parts on cached tokens.

Shapes: M maps, B pictures, L patches.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from mini.batches import covered_targets
from mini.losses import dice, focal, ranking
from numpy.typing import NDArray
from torch import Tensor, nn

from moeclip_cli.model.losses import balance_loss, etf_loss, expert_load
from moeclip_cli.model.moeclip import Comparison, MoECLIP
from moeclip_cli.model.scoring import LOGIT_SCALE, score
from moeclip_cli.training.interruption import deferred_interrupts
from moeclip_cli.training.state import write_torch_file
from small.network import compare
from small.recipe import Recipe
from small.tokens import Cache, Cached

_MAX_GRADIENT_NORM = 5.0
_IMAGE_SCALE = 4.0


@dataclass(frozen=True)
class Progress:
    """Report of some steps: number of completed ones, wall time, and the mean of each loss."""

    step: int
    seconds: float
    losses: dict[str, float]


class Trainer:
    """The network, the moving average of its weights, and the optimiser.

    Args:
        recipe: of the training.
        network: fresh; its adapters are trained.
        cache: the training pairs.
    """

    def __init__(self, recipe: Recipe, network: MoECLIP, cache: Cache) -> None:
        self.recipe = recipe
        self.network = network.train()
        self.averaged = copy.deepcopy(network.adapters)
        self.cache = cache
        self.step = 0
        self.seconds = 0.0
        trained = [p for p in network.adapters.parameters() if p.requires_grad]
        self._trained = trained
        self._optimiser = torch.optim.AdamW(
            [
                {"params": [p for p in trained if p.ndim > 1], "weight_decay": recipe.weight_decay},
                {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
            ],
            betas=(0.9, 0.98),
        )

    def run(self, report: Callable[[Progress], None], every: int, state: Path | None) -> None:
        """Train to the end; report and save the state every so many steps and at a Ctrl-C.

        Raises:
            KeyboardInterrupt: after a Ctrl-C, once the state is saved.
        """
        start = time.monotonic() - self.seconds
        recent: list[dict[str, float]] = []
        with deferred_interrupts() as interruption:
            while self.step < self.recipe.steps:
                recent.append(self._one_step())
                self.seconds = time.monotonic() - start
                at_end = self.step == self.recipe.steps
                if self.step % every == 0 or at_end or interruption.requested:
                    report(Progress(self.step, self.seconds, _means(recent)))
                    recent = []
                    if state is not None:
                        self.save(state)
                if interruption.requested:
                    raise interruption.error()

    def result(self) -> MoECLIP:
        """A network with the averaged weights."""
        network = copy.copy(self.network)
        network._modules = dict(self.network._modules, adapters=self.averaged)
        return network.eval()

    def save(self, path: Path) -> None:
        """Write the state for `restore`, in one step."""
        write_torch_file(
            path,
            {
                "step": self.step,
                "seconds": self.seconds,
                "adapters": self.network.adapters.state_dict(),
                "averaged": self.averaged.state_dict(),
                "optimiser": self._optimiser.state_dict(),
            },
        )

    def restore(self, path: Path) -> None:
        """Continue from a saved state."""
        content = torch.load(path, weights_only=True)
        self.step, self.seconds = content["step"], content["seconds"]
        self.network.adapters.load_state_dict(content["adapters"])
        self.averaged.load_state_dict(content["averaged"])
        self._optimiser.load_state_dict(content["optimiser"])

    def _one_step(self) -> dict[str, float]:
        recipe = self.recipe
        batch = self._next_batch()
        for group in self._optimiser.param_groups:
            group["lr"] = self._rate()
        with torch.autocast("cpu", torch.bfloat16):
            comparison = compare(self.network, batch, self._detailed(len(batch.covered)))
        parts = losses(comparison, batch, self.network, recipe)
        self._optimiser.zero_grad()
        torch.stack(list(parts.values())).sum().backward()
        nn.utils.clip_grad_norm_(self._trained, _MAX_GRADIENT_NORM)
        self._optimiser.step()
        share = min(recipe.average, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mean, now in zip(
                self.averaged.parameters(), self.network.adapters.parameters(), strict=True
            ):
                mean.lerp_(now, 1 - share)
        self.step += 1
        return {name: float(value.detach()) for name, value in parts.items()}

    def _detailed(self, pictures: int) -> Tensor:
        """The pictures (B,) that keep the tokens of the second tower: both of a pair, or none."""
        rng = np.random.default_rng([self.recipe.seed, 2, self.step])
        kept = rng.random(pictures // 2) >= self.recipe.detail_dropout
        return torch.from_numpy(kept).repeat_interleave(2)

    @property
    def seen(self) -> int:
        """Number of pairs, windows of them or whole, that the training has seen."""
        windows = min(self.step, self._window_steps)
        return self.recipe.batch * (self.step + windows)

    @property
    def _window_steps(self) -> int:
        return round(self.recipe.windows * self.recipe.steps)

    def _next_batch(self) -> Cached:
        """The next pairs: windows of them at first, then whole."""
        recipe = self.recipe
        if self.step >= self._window_steps:
            return self.cache.read(self._numbers(recipe.batch))
        rng = np.random.default_rng([recipe.seed, 1, self.step])
        return self.cache.windows(self._numbers(2 * recipe.batch), recipe.window, rng)

    def _numbers(self, count: int) -> list[int]:
        """The pairs of the next batch: another order in every pass."""
        found: list[int] = []
        for number in range(self.seen, self.seen + count):
            passes, place = divmod(number, len(self.cache))
            found.append(int(self._order(passes)[place]))
        return found

    def _order(self, passes: int) -> NDArray[np.int64]:
        return np.random.default_rng([self.recipe.seed, passes]).permutation(len(self.cache))

    def _rate(self) -> float:
        recipe = self.recipe
        warm = min(1.0, (self.step + 1) / recipe.warmup)
        decay = min(1.0, (1 - self.step / recipe.steps) / (1 - recipe.decay_from))
        return recipe.learning_rate * warm * max(decay, 0.01)


def _means(parts: list[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([part[name] for part in parts])) for name in parts[0]}


def losses(
    comparison: Comparison, batch: Cached, network: MoECLIP, recipe: Recipe
) -> dict[str, Tensor]:
    """The parts of the loss; `mini.losses` explains how they differ from the paper's."""
    target, weight = covered_targets(batch.covered)
    label = target.amax(dim=1)
    difference = LOGIT_SCALE * (comparison.patches[..., 1] - comparison.patches[..., 0]).float()
    experts = [
        recipe.etf_weight * etf_loss(routing, adapter)
        + recipe.balance_weight * balance_loss(expert_load(routing))
        for routing, adapter in zip(comparison.routing, network.adapters.moe, strict=True)
    ]
    return {
        "focal": focal(difference, target, weight),
        "dice": dice(difference.sigmoid(), target, weight),
        "image": F.cross_entropy(_IMAGE_SCALE * comparison.image.float(), label.long()),
        "rank": ranking(score(comparison, batch.grid, "industrial").score, label),
        "experts": torch.stack(experts).sum(),
    }
