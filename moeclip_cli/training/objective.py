"""The network with its losses: one forward pass is one batch's loss (paper equation 10)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from moeclip_cli.inspection.scoring import LOGIT_SCALE
from moeclip_cli.model.backbone import run_block
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

# In the order of the vector that `Objective` returns.
PARTS = ("total", "image", "segmentation", "balance", "etf")


class Weights(NamedTuple):
    """Weights of the losses that act on the experts; one that is 0 is not computed."""

    balance: float
    etf: float


class Objective(nn.Module):
    """A network and the weights of its losses.

    All parts but one are means over images or tokens, so that the mean over equal parts of a batch
    is that of the whole batch. The balance loss is none: it needs the experts' loads in the whole
    batch, which `total_over_processes` adds up.

    Args:
        network: its adapters are trained.
        weights: of the experts' losses.
        total_over_processes: the sum of a tensor over all processes, without gradient.
        processes: how many there are.
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

    def forward(self, images: Tensor, masks: Tensor, labels: Tensor, read: Tensor) -> Tensor:
        """The losses of a batch.

        Args:
            images: (B, 3, S, S) normalised.
            masks: (B, S, S), 1 where anomalous, else 0.
            labels: (B,) 1 for anomalous images.
            read: (B, sentences, W) what the text tower made of each image's prompt.

        Returns:
            (5,) float32: the `PARTS`.
        """
        with without_autocast(images.device):
            text = self.network.text_features(read)
        compared = self.network(images, text)
        with without_autocast(images.device):
            return self._losses(compared, masks, labels)

    def _losses(self, compared: Comparison, masks: Tensor, labels: Tensor) -> Tensor:
        image = image_loss(compared.image, labels)
        segmentation = segmentation_loss(LOGIT_SCALE * compared.patches, masks)
        balance = etf = torch.zeros((), device=image.device)
        if self.weights.balance:
            loads = torch.stack([expert_load(routing) for routing in compared.routing])
            layers = [balance_loss(load) for load in self._over_processes(loads)]
            balance = torch.stack(layers).sum()
        if self.weights.etf:
            pairs = zip(compared.routing, self.network.adapters.moe, strict=True)
            layers = [etf_loss(routing, cast(MoEAdapter, adapter)) for routing, adapter in pairs]
            etf = torch.stack(layers).sum()
        total = image + segmentation + self.weights.balance * balance + self.weights.etf * etf
        return torch.stack([total, image, segmentation, balance, etf])

    def _over_processes(self, loads: Tensor) -> Tensor:
        """The sum over all processes, with this process's share of its gradient.

        Gradients are averaged over the processes afterwards, hence the factor.
        """
        if self._total is None:
            return loads
        total = self._total(loads.detach())
        return total + self._processes * (loads - loads.detach())


class TextReader:
    """What the frozen text tower makes of prompts, computed once for each.

    Args:
        network: whose text tower reads.
    """

    def __init__(self, network: MoECLIP) -> None:
        self._network = network
        self._known: dict[str, Tensor] = {}

    @torch.no_grad()
    def __call__(self, prompts: Sequence[str]) -> Tensor:
        """(n, sentences, W), for `MoECLIP.text_features`."""
        for prompt in prompts:
            if prompt not in self._known:
                self._known[prompt] = self._network.read_names([prompt])[0]
        return torch.stack([self._known[prompt] for prompt in prompts])


class Recomputed(nn.Module):
    """A frozen block that keeps its input alone and computes the rest again when it is needed."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Tensor, attn_mask: Tensor | None = None) -> Tensor:
        """Tokens (B, T, D) to tokens; blocks of the vision tower have no mask."""
        out: Tensor = checkpoint(
            run_block, self.block, x, use_reentrant=False, preserve_rng_state=False
        )
        return out


def recompute_activations(network: MoECLIP) -> None:
    """Store no activations inside the frozen tower's blocks, at the price of running them twice.

    Blocks before the first adapter store none anyway: nothing before it needs a gradient.
    """
    blocks = network.backbone.visual.blocks
    for number in range(network.config.layers[0], len(blocks)):
        blocks[number] = Recomputed(blocks[number])
