"""The network with its losses: a forward pass returns the loss of a batch (paper equation 10)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from moeclip_cli.model.experts import MoEAdapter
from moeclip_cli.model.losses import (
    balance_loss,
    etf_loss,
    expert_load,
    image_loss,
    segmentation_loss,
)
from moeclip_cli.model.moeclip import Comparison, MoECLIP
from moeclip_cli.model.precision import without_autocast
from moeclip_cli.model.scoring import LOGIT_SCALE

# In the order of the vector that `Objective` returns.
PARTS = ("total", "image", "segmentation", "balance", "etf")


class Weights(NamedTuple):
    """Weights of the losses of the experts; a loss with weight 0 is not computed."""

    balance: float
    etf: float


class Objective(nn.Module):
    """A network and the weights of its losses.

    All losses but one are means over images or tokens: their mean over equal parts of a batch is
    their value for the whole batch. The balance loss is not a mean. It requires the experts' loads
    in the whole batch, which `total_over_processes` adds up.

    Args:
        network: its adapters are trained.
        weights: of the experts' losses.
        total_over_processes: returns the sum of a tensor over all processes, without gradient.
        processes: number of processes.
    """

    def __init__(
        self,
        network: MoECLIP,
        weights: Weights,
        total_over_processes: Callable[[Tensor], Tensor] | None = None,
        processes: int = 1,
    ) -> None:
        super().__init__()
        self.network = network
        self.weights = weights
        self._total = total_over_processes
        self._processes = processes

    def forward(
        self,
        images: Tensor,
        masks: Tensor,
        labels: Tensor,
        read: Tensor,
        weight: float = 1.0,
        weight_of_all: float = 1.0,
    ) -> Tensor:
        """The losses of a batch.

        Args:
            images: (B, 3, S, S) normalised.
            masks: (B, S, S), 1 where anomalous, else 0.
            labels: (B,) 1 for anomalous images.
            read: (B, sentences, W) text-tower features of each image's prompt, from `TextReader`.
            weight: factor of the losses that are means; 0 if these images are to have no effect.
            weight_of_all: factor of the balance loss.

        Returns:
            (5,) float32: the `PARTS`.
        """
        with without_autocast(images.device):
            text = self.network.text_features(read)
        comparison = self.network(images, text)
        with without_autocast(images.device):
            return self._losses(comparison, masks, labels, weight, weight_of_all)

    def _losses(
        self,
        comparison: Comparison,
        masks: Tensor,
        labels: Tensor,
        weight: float,
        weight_of_all: float,
    ) -> Tensor:
        image = weight * image_loss(comparison.image, labels)
        segmentation = weight * segmentation_loss(LOGIT_SCALE * comparison.patches, masks)
        balance = etf = torch.zeros((), device=image.device)
        if self.weights.balance:
            loads = torch.stack([expert_load(routing) for routing in comparison.routing])
            if weight == 0:
                loads = 0 * loads
            layers = [balance_loss(load) for load in self._over_processes(loads)]
            balance = weight_of_all * torch.stack(layers).sum()
        if self.weights.etf:
            pairs = zip(comparison.routing, self.network.adapters.moe, strict=True)
            layers = [etf_loss(routing, cast(MoEAdapter, adapter)) for routing, adapter in pairs]
            etf = weight * torch.stack(layers).sum()
        total = image + segmentation + self.weights.balance * balance + self.weights.etf * etf
        return torch.stack([total, image, segmentation, balance, etf])

    def _over_processes(self, loads: Tensor) -> Tensor:
        """The sum over all processes, with the gradient of this process's term.

        The factor compensates for the average of the gradients over the processes.
        """
        if self._total is None:
            return loads
        total = self._total(loads.detach())
        return total + self._processes * (loads - loads.detach())


class TextReader:
    """Features of prompts from the frozen text tower, computed once for each prompt.

    Args:
        network: its text tower is used.
    """

    def __init__(self, network: MoECLIP) -> None:
        self._network = network
        self._features: dict[str, Tensor] = {}

    @torch.no_grad()
    def __call__(self, prompts: Sequence[str]) -> Tensor:
        """(n, sentences, W), the input of `MoECLIP.text_features`."""
        for prompt in prompts:
            if prompt not in self._features:
                self._features[prompt] = self._network.encode_prompts([prompt])[0]
        return torch.stack([self._features[prompt] for prompt in prompts])


class Recomputed(nn.Module):
    """A frozen block that stores only its input and recomputes activations when needed."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (B, T, D) to tokens (B, T, D)."""
        out: Tensor = checkpoint(self.block, x, use_reentrant=False, preserve_rng_state=False)
        return out


def recompute_activations(network: MoECLIP) -> None:
    """Store no activations inside the frozen tower's blocks; the blocks run twice instead.

    Blocks before the first adapter need no gradient and store no activations in any case.
    """
    blocks = network.backbone.vision.blocks
    for number in range(network.config.adapter_blocks[0], len(blocks)):
        blocks[number] = Recomputed(blocks[number])
