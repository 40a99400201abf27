"""The scoring of a model as one module of tensors, ready to be exported.

Shapes: B images, N prompts, C joint dimension, S_i side in pixels of the i-th network input, S that
of the first one, H and W height and width in pixels of images that are resized in the graph.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from moeclip_cli.checkpoints.configuration import CheckpointConfig
from moeclip_cli.exports.pillow_resize import resize_to_square
from moeclip_cli.model.config import Domain
from moeclip_cli.model.levels import Levels
from moeclip_cli.model.moeclip import MoECLIP
from moeclip_cli.model.preprocessing import Preprocessing
from moeclip_cli.model.scoring import score_scales

OUTPUTS = ("score", "anomaly_map", "map_max", "image_score", "image_part", "raw_map")
"""Names of what a graph gives, in order; `anomaly_map` is `Scores.probability`."""

ZERO_SHOT = "zero_shot"
"""One more, of a graph with references and adapters."""


class ScoreGraph(nn.Module):
    """Network inputs to scores and maps, for fixed prompts.

    Args:
        network: in evaluation mode.
        config: of the checkpoint; gives the weight of the image score.
        domain: determines blur and formula.
        text: features (N, C, 2) of the prompts.
    """

    text: Tensor

    def __init__(
        self, network: MoECLIP, config: CheckpointConfig, domain: Domain, text: Tensor
    ) -> None:
        super().__init__()
        self.network = network
        self.image_weight = config.image_weight
        self.domain: Domain = domain
        self.register_buffer("text", text)

    def forward(self, images: Sequence[Tensor], prompt: Tensor | None = None) -> tuple[Tensor, ...]:
        """Score images.

        Args:
            images: normalised (B, 3, S_i, S_i), one for each size.
            prompt: (B,) int64, the number of the prompt of each image; None if there is only one.

        Returns:
            `OUTPUTS`: (B,), (B, S, S), (B,), (B,), (B,) and (B, S, S).
        """
        return self.of_levels(self.network.levels(images[0]), images, prompt)

    def of_levels(
        self, levels: Levels, images: Sequence[Tensor], prompt: Tensor | None
    ) -> tuple[Tensor, ...]:
        """What `forward` returns, from the levels of the first size."""
        text = self.text[0] if prompt is None else self.text[prompt]
        detailed = self.network.with_detail(levels, images[0])
        comparisons = [self.network.compare(detailed, text)]
        comparisons += [self.network(pixels, text) for pixels in images[1:]]
        size = self.network.config.image_size
        found = score_scales(comparisons, size, self.domain, self.image_weight)
        return (
            found.score,
            found.probability,
            found.map_max,
            found.image_score,
            found.image_part,
            found.raw_map,
        )


class ResizingGraph(nn.Module):
    """8-bit images of any size to scores and maps.

    Args:
        scored: a `ScoreGraph` or `ReferenceGraph`, which scores the network inputs.
        preprocessing: of its network.
        sizes: S_i, all sides of the network input in pixels.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, scored: nn.Module, preprocessing: Preprocessing, sizes: tuple[int, ...]
    ) -> None:
        super().__init__()
        self.scored = scored
        self.sizes = sizes
        self.interpolation = preprocessing.interpolation
        self.register_buffer("mean", torch.tensor(preprocessing.mean)[:, None, None])
        self.register_buffer("std", torch.tensor(preprocessing.std)[:, None, None])

    def forward(self, images: Tensor, **numbers: Tensor) -> tuple[Tensor, ...]:
        """Score images.

        Args:
            images: (B, H, W, 3) uint8 RGB.
            **numbers: the other arguments of `scored`.
        """
        scales = []
        for side in self.sizes:
            pixels = resize_to_square(images, side, self.interpolation)
            scales.append((pixels / 255 - self.mean) / self.std)
        found: tuple[Tensor, ...] = self.scored(scales, **numbers)
        return found
