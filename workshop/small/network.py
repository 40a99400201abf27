"""The untrained network, with self-comparison that reads distances from the cache."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from moeclip_cli.checkpoints.builtin import DEFAULT_TOWER
from moeclip_cli.model.config import NetworkConfig
from moeclip_cli.model.moeclip import Comparison, Levels, MoECLIP
from moeclip_cli.model.self_comparison import SelfComparison
from moeclip_cli.training.network import build_untrained, find_training_backbone
from small.recipe import Recipe
from small.tokens import Cached

# Far from 0, where the adapter divides by the length of the experts' output.
_EXPERT_DEVIATION = 0.02


class CachedComparison(SelfComparison):
    """Reads the distances of the present batch instead of computing them.

    Attributes:
        distances: (B, L, K) of the batch that the network compares next.
    """

    distances: Tensor

    def forward(self, tokens: Tensor) -> Tensor:
        return self.added(self.distances)


def fresh_network(recipe: Recipe, statistics: tuple[Tensor, Tensor]) -> MoECLIP:
    """The untrained network.

    Args:
        recipe: of the training.
        statistics: mean and deviation (N, D) of the tokens of each level.
    """
    config = NetworkConfig(
        layers=recipe.layers,
        dropout=0.0,
        mix=recipe.mix,
        aggregation=recipe.aggregation,
        image_size=recipe.size,
        adapted_tower=False,
        self_comparison=recipe.self_comparison,
    )
    network = build_untrained(
        config, find_training_backbone(DEFAULT_TOWER, None, None), recipe.seed
    )
    torch.manual_seed(recipe.seed)
    for adapter in network.adapters.moe:
        nn.init.normal_(adapter.lora_b, std=_EXPERT_DEVIATION)
    for level, compared in enumerate(network.adapters.self_comparison):
        compared.mean.copy_(statistics[0][level])
        compared.deviation.copy_(statistics[1][level])
        compared.__class__ = CachedComparison
    return network


def compare(network: MoECLIP, batch: Cached) -> Comparison:
    """What the network makes of pictures whose tokens were computed before."""
    for level, compared in enumerate(network.adapters.self_comparison):
        compared.distances = batch.distances[:, level]
    levels = list(batch.tokens.unbind(1))
    side = round(batch.tokens.shape[2] ** 0.5)
    text = network.text_features(network.encode_prompts(["object"]))[0]
    return network.compare(Levels(levels, (), (side, side)), text)


def finished(network: MoECLIP) -> MoECLIP:
    """The same network, with self-comparison that computes its distances."""
    for compared in network.adapters.self_comparison:
        compared.__class__ = SelfComparison
        compared.__dict__.pop("distances", None)
    return network.eval()
