"""The trained parts after the towers: patch projections, image head, text side.

Fresh weights are Xavier-uniform, as in the authors' code. Patches and prompts are compared by
direction alone, so the size of the initial weights decides how far a step of Adam turns them.

Shapes: B images, L patches, D vision width, W text width, C joint dimension.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moeclip_cli.model.finite import unit_vectors

LEAKY_SLOPE = 0.01


class Projection(nn.Linear):
    """Projection D -> C of a level's patches, without bias, L2-normalised in float32."""

    def __init__(self, width: int, joint_dim: int, relu: bool) -> None:
        super().__init__(width, joint_dim, bias=False)
        self.relu = relu

    def reset_parameters(self) -> None:
        """Draw fresh weights."""
        nn.init.xavier_uniform_(self.weight)

    def forward(self, patches: Tensor) -> Tensor:
        """(B, L, D) to unit vectors (B, L, C)."""
        projected = super().forward(patches)
        if self.relu:
            projected = F.leaky_relu(projected, LEAKY_SLOPE)
        return unit_vectors(projected.float())


class ImageHead(nn.Module):
    """Image feature from patches: layer norm, depthwise and pointwise convolution, mean."""

    def __init__(self, width: int, joint_dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.depthwise = nn.Conv1d(width, width, 3, padding="same", groups=width, bias=False)
        self.pointwise = nn.Conv1d(width, joint_dim, 1, bias=False)
        for convolution in (self.depthwise, self.pointwise):
            nn.init.xavier_uniform_(convolution.weight)

    def forward(self, patches: Tensor) -> Tensor:
        """(B, L, D) to (B, C): the mean of unit vectors, which is not normalised again."""
        sequence = self.norm(patches).transpose(1, 2)
        features = self.pointwise(F.gelu(self.depthwise(sequence))).transpose(1, 2)
        return unit_vectors(features.float()).mean(dim=1)


class TextLayer(nn.Linear):
    """Trained layer in place of CLIP's text projection: linear W -> C, LeakyReLU."""

    def __init__(self, text_width: int, joint_dim: int) -> None:
        super().__init__(text_width, joint_dim, bias=False)

    def reset_parameters(self) -> None:
        """Draw fresh weights."""
        nn.init.xavier_uniform_(self.weight)

    def forward(self, features: Tensor) -> Tensor:
        """(n, W) to unit vectors (n, C)."""
        return unit_vectors(F.leaky_relu(super().forward(features), LEAKY_SLOPE))


class LearnedText(nn.Module):
    """Learned features of "normal" and "abnormal" for a backbone without a text tower.

    They stand for the text side as a whole, and do not depend on the name of an object (UniADet
    learns such vectors, too). Not part of the paper.
    """

    def __init__(self, joint_dim: int) -> None:
        super().__init__()
        self.features = nn.Parameter(torch.empty(joint_dim, 2))
        if not self.features.is_meta:  # there, random numbers would import PyTorch's compiler
            self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw fresh features."""
        # Nearly the same direction: at CLIP's temperature, others would begin with certainties.
        both = torch.randn(len(self.features), 1)
        self.features.copy_(both + 0.1 * torch.randn(len(self.features), 2))

    def forward(self, count: int) -> Tensor:
        """The same unit vectors (C, 2) for `count` names, (count, C, 2)."""
        return unit_vectors(self.features, dim=0).expand(count, -1, -1)
