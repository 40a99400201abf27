"""Mixture of LoRA experts in the vision tower (paper section 3.2).

Shapes: b images, t tokens (prefix tokens and all patches), D width, K experts, r rank, k chosen.
"""

from __future__ import annotations

import math
from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor, nn

from moeclip_cli.errors import ModelError
from moeclip_cli.model.config import NetworkConfig
from moeclip_cli.model.finite import infinite_as_nan
from moeclip_cli.model.precision import without_autocast

_EPS = 1e-6


class Routing(NamedTuple):
    """Decisions of the router, and the experts' features that the losses need.

    Attributes:
        probabilities: (b, t, K) float32, the router's softmax.
        choice: (b, t, k) chosen experts, most probable first.
        low_rank: (b, t, K, r), A_e x of *all* experts, before their weights.
    """

    probabilities: Tensor
    choice: Tensor
    low_rank: Tensor


class MoEAdapter(nn.Module):
    """Router and experts after one transformer block.

    With p the router's softmax, renormalised over the top k to weights g:

        y = sum_e g_e(x) * (alpha / r) * B_e A_e dropout(x)
        x <- w * y * |x| / (|y| + 1e-6) + (1 - w) * x

    All experts run as two matrix products, with the weights applied to the K * r intermediate
    features. One dropout mask serves all experts; with FOFS this is the same as one mask each,
    because no two experts read the same feature.
    """

    def __init__(self, config: NetworkConfig, width: int) -> None:
        super().__init__()
        self.top_k = config.top_k
        self.mix = config.mix
        self.scale = config.alpha / config.rank
        self.dropout = nn.Dropout(config.dropout)
        shape = (config.experts, config.rank, width)
        lora_a = fofs_matrices(*shape) if config.fofs else kaiming_uniform(*shape)
        self.router = nn.Parameter(torch.zeros(config.experts, width))
        self.lora_a = nn.Parameter(lora_a, requires_grad=not config.fofs)
        self.lora_b = nn.Parameter(torch.zeros(config.experts, width, config.rank))

    def forward(self, x: Tensor) -> tuple[Tensor, Routing]:
        """Adapt tokens (b, t, D); returns them, same shape, and the routing."""
        probabilities, choice, weights = self.route(x)
        low_rank = (self.dropout(x) @ self.lora_a.flatten(0, 1).T).unflatten(-1, self._ranks)
        y = self.mix_experts(low_rank, (self.scale * weights).to(x.dtype))
        return self.blend(x, y), Routing(probabilities, choice, low_rank)

    def route(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Choose the experts of each token.

        Args:
            x: tokens (b, t, D).

        Returns:
            The router's softmax (b, t, K) in float32, the chosen experts (b, t, k), most probable
            first, and the weights g (b, t, K), 0 for experts that were not chosen.
        """
        # The router stays in float32 whatever the precision: a rounded tie picks another expert.
        with without_autocast(x.device):
            probabilities = (x.float() @ self.router.float().T).softmax(dim=-1)
        top, choice = probabilities.topk(self.top_k, dim=-1)
        top = top / top.sum(dim=-1, keepdim=True)
        weights = torch.zeros_like(probabilities).scatter(-1, choice, top)
        return probabilities, choice, weights

    def mix_experts(self, low_rank: Tensor, weights: Tensor) -> Tensor:
        """The weighted sum y (b, t, D) of the experts' outputs.

        Args:
            low_rank: A_e x of all experts, (b, t, K, r).
            weights: g * alpha / r, (b, t, K).
        """
        weighted = low_rank * weights.unsqueeze(-1)
        return weighted.flatten(-2) @ self.lora_b.transpose(1, 2).flatten(0, 1)

    def blend(self, x: Tensor, y: Tensor) -> Tensor:
        """Tokens x mixed with the experts' output y, rescaled to the length of x, (b, t, D)."""
        norm = torch.linalg.vector_norm
        length = infinite_as_nan(norm(y, dim=-1, keepdim=True))
        rescale = norm(x, dim=-1, keepdim=True) / (length + _EPS)
        return torch.addcmul((1 - self.mix) * x, y, rescale, value=self.mix)

    @property
    def _ranks(self) -> tuple[int, int]:
        return self.lora_a.shape[0], self.lora_a.shape[1]


def feature_slices(width: int, experts: int) -> list[slice]:
    """The contiguous input slices of FOFS; the first `width % experts` are one feature longer."""
    base, longer = divmod(width, experts)
    lengths = [base + (e < longer) for e in range(experts)]
    ends = accumulate(lengths)
    return [slice(end - length, end) for end, length in zip(ends, lengths, strict=True)]


def fofs_matrices(experts: int, rank: int, width: int) -> Tensor:
    """Input matrices (K, r, D) of the experts under frozen orthogonal feature separation (FOFS).

    Each has orthonormal rows inside its own slice of the features and zeros elsewhere.

    Raises:
        ModelError: if a slice has fewer features than there are rows.
    """
    if rank > width // experts:
        raise ModelError(
            f"With FOFS each of the {experts} experts reads {width // experts} of the {width} "
            f"features, too few for rank {rank}; lower `rank` or `experts`, or use `no_fofs`."
        )
    matrices = torch.zeros(experts, rank, width)
    for expert, part in enumerate(feature_slices(width, experts)):
        gaussian = torch.randn(part.stop - part.start, rank)
        matrices[expert, :, part] = torch.linalg.qr(gaussian).Q.T
    return matrices


def kaiming_uniform(experts: int, rank: int, width: int) -> Tensor:
    """Input matrices (K, r, D) of the experts without FOFS: the usual initialisation of LoRA."""
    matrices = torch.empty(experts, rank, width)
    for matrix in matrices:
        nn.init.kaiming_uniform_(matrix, a=math.sqrt(5))
    return matrices
