"""The assembled network (paper figure 2): images to patch and image features, names to text.

Shapes: B images, S side in pixels, L = g * g patches, D vision width, C joint dimension, N levels,
M anomaly maps (N, or 3 N with aggregation).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moeclip_cli.errors import ModelError
from moeclip_cli.model.adapters import Adapters
from moeclip_cli.model.aggregation import WINDOWS, aggregate
from moeclip_cli.model.backbone import Backbone, run_block
from moeclip_cli.model.config import NetworkConfig
from moeclip_cli.model.experts import Routing
from moeclip_cli.model.precision import without_autocast
from moeclip_cli.model.prompts import ABNORMAL_STATES, NORMAL_STATES, sentences

_STATES = (NORMAL_STATES, ABNORMAL_STATES)

# The blur of the anomaly maps mirrors up to 4 patches at the border, so it needs a 5th.
MIN_GRID = 5


@dataclass(frozen=True)
class Comparison:
    """Images compared with the texts "normal" (column 0) and "abnormal" (column 1).

    Attributes:
        patches: (M, B, L, 2) cosine similarity of each patch in each map, level-major.
        image: (B, 2) similarity of the image feature.
        routing: the router's decisions, one per adapter.
    """

    patches: Tensor
    image: Tensor
    routing: tuple[Routing, ...]


class MoECLIP(nn.Module):
    """A frozen CLIP with MoECLIP's adapters.

    Args:
        config: the network's configuration.
        backbone: the frozen towers.
        adapters: the trained parts, built for the same configuration.

    Raises:
        ModelError: if the configuration does not fit the backbone.
    """

    def __init__(self, config: NetworkConfig, backbone: Backbone, adapters: Adapters) -> None:
        super().__init__()
        check_image_size(config.image_size, backbone.patch_size)
        if config.layers[-1] > backbone.blocks:
            raise ModelError(
                f"An adapter is to follow block {config.layers[-1]}, "
                f"but the backbone has only {backbone.blocks} blocks."
            )
        self.config = config
        self.backbone = backbone
        self.adapters = adapters

    def train(self, mode: bool = True) -> MoECLIP:
        """Set the training mode of the adapters; the frozen backbone always evaluates."""
        super().train(mode)
        self.backbone.eval()
        return self

    def set_precision(self, dtype: torch.dtype) -> None:
        """Run the vision side in `dtype`; router, similarities and the text side stay float32."""
        self.backbone.visual.to(dtype)
        self.adapters.projections.to(dtype)
        self.adapters.image_head.to(dtype)
        for adapter in self.adapters.moe:
            adapter.lora_a.data = adapter.lora_a.data.to(dtype)
            adapter.lora_b.data = adapter.lora_b.data.to(dtype)

    def encode_text(self, names: Sequence[str]) -> Tensor:
        """Text features (n, C, 2) of object names: column 0 normal, column 1 abnormal."""
        return self.text_features(self.read_names(names))

    def read_names(self, names: Sequence[str]) -> Tensor:
        """What the frozen text tower makes of each name's sentences, (n, sentences, W)."""
        groups = [sentences(states, name) for name in names for states in _STATES]
        tokens = self.backbone.tokenize([sentence for group in groups for sentence in group])
        features: Tensor = self.backbone.text(tokens)
        return features.unflatten(0, (len(names), -1))

    def text_features(self, read: Tensor) -> Tensor:
        """Text features (n, C, 2) from what `read_names` returned, by the trained text layer."""
        counts = [len(sentences(states, "")) for states in _STATES]
        parts = self.adapters.text_layer(read).split(counts, dim=1)
        means = torch.stack([part.mean(dim=1) for part in parts], dim=-1)
        return F.normalize(means, dim=1)

    def encode_image(self, images: Tensor) -> tuple[Tensor, Tensor, tuple[Routing, ...]]:
        """Patch features (M, B, L, C), image features (B, C) and the routing."""
        return self._read(images, lambda patches: patches)

    def forward(self, images: Tensor, text: Tensor) -> Comparison:
        """Compare images with text features.

        Args:
            images: (B, 3, S, S) normalised.
            text: (C, 2) for all images or (B, C, 2), one per image.
        """

        def compare(features: Tensor) -> Tensor:
            with without_autocast(features.device):
                return features @ text

        patches, feature, routing = self._read(images, compare)
        image = compare(feature) if text.ndim == 2 else compare(feature.unsqueeze(1)).squeeze(1)
        return Comparison(patches, image, routing)

    def _read(
        self, images: Tensor, of_patches: Callable[[Tensor], Tensor]
    ) -> tuple[Tensor, Tensor, tuple[Routing, ...]]:
        """`of_patches` of each map's patch features, stacked; image features; routing.

        Maps are made and dropped one at a time: together they outweigh the tower's activations.
        """
        levels, routing = self._levels(images)
        shared_by = self.config.maps // self.config.projections
        read = []
        for number, tokens in enumerate(self._maps(levels)):
            read.append(of_patches(self.adapters.projections[number // shared_by](tokens)))
            if number == self._image_map:
                feature = self.adapters.image_head(tokens)
        return torch.stack(read), feature, routing

    @property
    def _image_map(self) -> int:
        """The map that the image feature is read from: as in the authors' code, the third last.

        With aggregation it is the last level's plain map; without, the last level but two.
        """
        return max(0, self.config.maps - 3)

    def _levels(self, images: Tensor) -> tuple[list[Tensor], tuple[Routing, ...]]:
        """Adapted patch tokens (B, L, D) of each level, class token dropped, and the routing."""
        visual = self.backbone.visual
        x = visual.embed(images.to(visual.class_embedding.dtype))
        adapters = dict(zip(self.config.layers, self.adapters.moe, strict=True))
        levels, routing = [], []
        for number, block in enumerate(visual.blocks[: self.config.layers[-1]], start=1):
            x = run_block(block, x)
            if number in adapters:
                x, decided = adapters[number](x)
                levels.append(x[:, 1:])
                routing.append(decided)
        return levels, tuple(routing)

    def _maps(self, levels: list[Tensor]) -> Iterator[Tensor]:
        """The M maps (B, L, D) after the tower's last layer norm, level-major."""
        windows = WINDOWS if self.config.aggregation else WINDOWS[:1]
        for level in levels:
            for pooled in aggregate(level, windows):
                yield self.backbone.visual.ln_post(pooled)


def check_image_size(image_size: int, patch_size: int) -> None:
    """Refuse a network input that the patches do not tile or that is too small to blur.

    Raises:
        ModelError: naming sizes that would do.
    """
    grid, rest = divmod(image_size, patch_size)
    if rest == 0 and grid >= MIN_GRID:
        return
    below = max(MIN_GRID, grid) * patch_size
    raise ModelError(
        f"The image size must be a multiple of the patch size {patch_size} and at least "
        f"{MIN_GRID * patch_size}, not {image_size}; try {below} or {below + patch_size}."
    )
