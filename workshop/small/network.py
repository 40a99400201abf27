"""The untrained network, with self-comparison that reads distances from the cache."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from moeclip_cli.checkpoints.builtin import DEFAULT_TOWER
from moeclip_cli.model.adapters import Adapters
from moeclip_cli.model.backbones.table import build_backbone
from moeclip_cli.model.config import NetworkConfig
from moeclip_cli.model.levels import Levels
from moeclip_cli.model.moeclip import Comparison, MoECLIP
from moeclip_cli.model.self_comparison import SelfComparison
from moeclip_cli.training.network import find_training_backbone
from small.detail import detail_of_mini
from small.recipe import Recipe
from small.tokens import Cached, Statistics

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


def fresh_network(recipe: Recipe, tokens: Statistics, detail: Statistics) -> MoECLIP:
    """The untrained network.

    Args:
        recipe: of the training.
        tokens: mean and deviation (N, D) of the tokens of each level.
        detail: mean and deviation (E,) of the second tower's tokens.
    """
    config = NetworkConfig(
        layers=recipe.layers,
        dropout=0.0,
        mix=recipe.mix,
        aggregation=recipe.aggregation,
        relu=recipe.relu,
        image_size=recipe.size,
        adapted_tower=False,
        self_comparison=recipe.self_comparison,
        detail=recipe.detail,
    )
    weights = find_training_backbone(DEFAULT_TOWER, None, None)
    backbone = build_backbone(weights.architecture, weights.state, quick_gelu=False)
    torch.manual_seed(recipe.seed)
    adapters = Adapters(config, weights.architecture.vision_width, None, recipe.joint_dim)
    for adapter in adapters.moe:
        nn.init.normal_(adapter.lora_b, std=_EXPERT_DEVIATION)
    for level, compared in enumerate(adapters.self_comparison):
        compared.mean.copy_(tokens[0][level])
        compared.deviation.copy_(tokens[1][level])
        compared.__class__ = CachedComparison
    second = None
    if recipe.detail:
        second, adapters.detail = detail_of_mini()
        adapters.detail.mean.copy_(detail[0])
        adapters.detail.deviation.copy_(detail[1])
    return MoECLIP(config, backbone, adapters, second).train()


def compare(network: MoECLIP, batch: Cached, detailed: Tensor | None = None) -> Comparison:
    """What the network makes of pictures whose tokens were computed before.

    Args:
        network: the network.
        batch: B pictures.
        detailed: (B,) bool, the pictures that have tokens of the second tower; all by default.
    """
    adapters = network.adapters
    for level, compared in enumerate(adapters.self_comparison):
        compared.distances = batch.distances[:, level]
    detail = None if adapters.detail is None else adapters.detail.standardised(batch.detail)
    if detail is not None and detailed is not None:
        detail = detail * detailed[:, None, None]
    levels = Levels(list(batch.tokens.unbind(1)), (), (batch.grid, batch.grid), detail)
    text = network.text_features(network.encode_prompts(["object"]))[0]
    return network.compare(levels, text)


def finished(network: MoECLIP) -> MoECLIP:
    """The same network, with self-comparison that computes its distances."""
    for compared in network.adapters.self_comparison:
        compared.__class__ = SelfComparison
        compared.__dict__.pop("distances", None)
    return network.eval()
