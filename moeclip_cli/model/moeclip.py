"""The assembled network (paper figure 2): images to patch and image features, names to text.

Shapes: B images, S side in pixels, L = g * g patches, D vision width, C joint dimension, N levels,
M anomaly maps (N, or 3 N with aggregation).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from moeclip_cli.bounded_text import shortened
from moeclip_cli.errors import ModelError
from moeclip_cli.model.adapters import Adapters
from moeclip_cli.model.aggregation import WINDOWS, aggregate
from moeclip_cli.model.backbones.family import Backbone
from moeclip_cli.model.config import NetworkConfig
from moeclip_cli.model.detail import check_detail
from moeclip_cli.model.experts import Routing
from moeclip_cli.model.finite import is_finite, unit_vectors
from moeclip_cli.model.heads import TextLayer
from moeclip_cli.model.input_size import MIN_GRID
from moeclip_cli.model.levels import Levels, tower_levels
from moeclip_cli.model.precision import claim_precision, without_autocast
from moeclip_cli.model.preprocessing import Preprocessing
from moeclip_cli.model.prompts import ABNORMAL_STATES, NORMAL_STATES, sentences

_STATES = (NORMAL_STATES, ABNORMAL_STATES)


@dataclass(frozen=True)
class Comparison:
    """Images compared with the texts "normal" (column 0) and "abnormal" (column 1).

    Attributes:
        patches: (M, B, L, 2) cosine similarity of each patch in each map, level-major.
        image: (B, 2) similarity of the image feature.
        routing: the router's decisions for all tokens, one per adapter.
    """

    patches: Tensor
    image: Tensor
    routing: tuple[Routing, ...]

    def first_choice(self, adapter: int) -> Tensor:
        """The most probable expert of each patch, (B, g, g).

        Args:
            adapter: index of the adapter, counted from 0.
        """
        length = self.patches.shape[2]
        grid = round(length**0.5)
        # The patches are the last tokens, behind the tower's prefix.
        return self.routing[adapter].choice[:, -length:, 0].unflatten(1, (grid, grid))


class MoECLIP(nn.Module):
    """A frozen backbone with MoECLIP's adapters.

    Args:
        config: the network's configuration.
        backbone: the frozen towers.
        adapters: the trained parts, built for the same configuration.
        detail: the backbone whose vision tower is the second one, if the network has one.

    Raises:
        ModelError: if the configuration does not fit the backbone.
    """

    def __init__(
        self,
        config: NetworkConfig,
        backbone: Backbone,
        adapters: Adapters,
        detail: Backbone | None = None,
    ) -> None:
        super().__init__()
        architecture = backbone.architecture
        check_image_size(config.image_size, architecture.patch_size)
        config.check_depth(architecture.blocks)
        self.config = config
        self.backbone = backbone
        self.adapters = adapters
        check_detail(detail, config.detail)
        self.detail = detail

    @property
    def preprocessing(self) -> Preprocessing:
        """Resizing and normalisation that the vision tower expects of images."""
        return self.backbone.architecture.family.preprocessing

    def input_size(self, height: int, width: int, side: int) -> tuple[int, int]:
        """Height and width of the network input of an image: a square, as in the paper."""
        return side, side

    @property
    def device(self) -> torch.device:
        """Device of the trained parts."""
        return next(self.adapters.parameters()).device

    def train(self, mode: bool = True) -> MoECLIP:
        """Set the training mode of the adapters; the frozen backbone always evaluates."""
        super().train(mode)
        self.backbone.eval()
        if self.detail is not None:
            self.detail.eval()
        return self

    def set_precision(self, dtype: torch.dtype) -> None:
        """Run the vision side in `dtype`; router, similarities and the text side stay float32.

        Raises:
            ModelError: if the network is in use in another type, or if a weight is too large for
                `dtype`; the network is then unusable.
        """
        claim_precision(self, dtype)
        self.backbone.vision.to(dtype)
        self.adapters.projections.to(dtype)
        self.adapters.image_head.to(dtype)
        if self.detail is not None:
            self.detail.vision.to(dtype)
        detail = self.adapters.detail
        for adapter in (*self.adapters.moe, *(detail.moe if detail is not None else ())):
            adapter.lora_a.data = adapter.lora_a.data.to(dtype)
            adapter.lora_b.data = adapter.lora_b.data.to(dtype)
        for name, weight in self.named_parameters():
            if not is_finite(weight):
                kind = str(dtype).removeprefix("torch.")
                raise ModelError(
                    f"The weight '{shortened(name)}' has numbers that are not finite in {kind}; "
                    "set `precision` to fp32."
                )

    def encode_text(self, names: Sequence[str]) -> Tensor:
        """Text features (n, C, 2) of object names: column 0 normal, column 1 abnormal.

        Without a text tower they are learned, and the same for every name.
        """
        return self.text_features(self.encode_prompts(names))

    def encode_prompts(self, names: Sequence[str]) -> Tensor:
        """Text-tower features of every prompt of every name, (n, prompts, W).

        Without a text tower there is nothing to encode, so they are (n, 0, 0).
        """
        tower = self.backbone.text
        if tower is None:
            return torch.empty(len(names), 0, 0, device=self.device)
        groups = [sentences(states, name) for name in names for states in _STATES]
        tokens = tower.tokenize([sentence for group in groups for sentence in group])
        features: Tensor = tower(tokens)
        return features.unflatten(0, (len(names), -1))

    def text_features(self, encoded: Tensor) -> Tensor:
        """Text features (n, C, 2) of what `encode_prompts` returned, by the trained text layer."""
        learned = self.adapters.learned_text
        if learned is not None:
            features: Tensor = learned(len(encoded))
            return features
        layer = cast(TextLayer, self.adapters.text_layer)  # the one or the other
        counts = [len(sentences(states, "")) for states in _STATES]
        parts = layer(encoded).split(counts, dim=1)
        means = torch.stack([part.mean(dim=1) for part in parts], dim=-1)
        return unit_vectors(means, dim=1)

    def encode_image(self, images: Tensor) -> tuple[Tensor, Tensor, tuple[Routing, ...]]:
        """Patch features (M, B, L, C), image features (B, C) and the routing."""
        levels = self._adapted(self.with_detail(self.levels(images), images))
        maps = list(self._maps(levels.tokens))
        patches = [self._project(number, tokens) for number, tokens in enumerate(maps)]
        feature = self.adapters.image_head(maps[self._image_map])
        return torch.stack(patches), feature, levels.routing

    def forward(self, images: Tensor, text: Tensor) -> Comparison:
        """Compare images with text features.

        Args:
            images: (B, 3, S, S) normalised.
            text: (C, 2) for all images or (B, C, 2), one per image.
        """
        return self.compare(self.with_detail(self.levels(images), images), text)

    def compare(self, levels: Levels, text: Tensor) -> Comparison:
        """Compare the levels of images with text features.

        Args:
            levels: of B images, see `with_detail`.
            text: (C, 2) for all images or (B, C, 2), one per image.
        """

        def compare(features: Tensor) -> Tensor:
            with without_autocast(features.device):
                return features @ text

        levels = self._adapted(levels)
        patches = []
        # One map at a time: together they outweigh the tower's activations.
        for number, tokens in enumerate(self._maps(levels.tokens)):
            patches.append(compare(self._project(number, tokens)))
            if number == self._image_map:
                feature = self.adapters.image_head(tokens)
        image = compare(feature) if text.ndim == 2 else compare(feature.unsqueeze(1)).squeeze(1)
        return Comparison(torch.stack(patches), image, levels.routing)

    def levels(self, images: Tensor) -> Levels:
        """Tokens of each level of normalised images (B, 3, S, S), adapted in an adapted tower."""
        adapters: dict[int, nn.Module] = {}
        if self.config.adapted_tower:
            adapters = dict(zip(self.config.adapter_blocks, self.adapters.moe, strict=True))
        return tower_levels(self.backbone, self.config.layers, images, adapters)

    def with_detail(self, levels: Levels, images: Tensor) -> Levels:
        """The levels of these images with the tokens of the second tower, if there is one."""
        if self.adapters.detail is None or self.detail is None:
            return levels
        detail = self.adapters.detail(self.detail, images, self.preprocessing, levels.grid[0])
        return levels._replace(detail=detail)

    def _adapted(self, levels: Levels) -> Levels:
        """The levels after the adapters, if they are those of a frozen tower."""
        if self.config.adapted_tower:
            return levels
        adapted, routing = [], []
        for number, (tokens, adapter) in enumerate(
            zip(levels.tokens, self.adapters.moe, strict=True)
        ):
            if self.config.self_comparison:
                added = self.adapters.self_comparison[number](tokens)
                tokens = tokens + added.to(tokens.dtype)
            if levels.detail is not None:
                tokens = torch.cat([tokens, levels.detail.to(tokens.dtype)], dim=-1)
            tokens, decided = adapter(tokens)
            adapted.append(tokens)
            routing.append(decided)
        return Levels(adapted, tuple(routing), levels.grid)

    def _maps(self, levels: list[Tensor]) -> Iterator[Tensor]:
        """The M maps (B, L, D) after the tower's last layer norm, level-major."""
        windows = WINDOWS if self.config.aggregation else WINDOWS[:1]
        for level in levels:
            for pooled in aggregate(level, windows):
                yield self._norm(pooled)

    def _norm(self, tokens: Tensor) -> Tensor:
        """The tower's last layer norm on tokens (B, L, D or D + E); detail keeps its own scale."""
        norm = self.backbone.vision.norm
        if self.adapters.detail is None:
            return cast(Tensor, norm(tokens))
        width = self.backbone.architecture.vision_width
        return torch.cat([norm(tokens[..., :width]), tokens[..., width:]], dim=-1)

    def _project(self, number: int, tokens: Tensor) -> Tensor:
        """Patch features (B, L, C) of map `number`, unit vectors."""
        shared_by = self.config.maps // self.config.projections
        features: Tensor = self.adapters.projections[number // shared_by](tokens)
        return features

    @property
    def _image_map(self) -> int:
        """Number of the map that the image feature is read from: the third last, as the authors do.

        With aggregation it is the plain map of the last level; without, the map of the last level
        but two.
        """
        return max(0, self.config.maps - 3)


def check_image_size(image_size: int, patch_size: int) -> None:
    """Refuse a network input that the patches do not tile or that is too small to blur.

    Args:
        image_size: side of the network input in pixels.
        patch_size: side of a patch in pixels.

    Raises:
        ModelError: naming sizes that fit.
    """
    grid, rest = divmod(image_size, patch_size)
    if rest == 0 and grid >= MIN_GRID:
        return
    below = max(MIN_GRID, grid) * patch_size
    raise ModelError(
        f"The network input must be a multiple of the patch size {patch_size} and at least "
        f"{MIN_GRID * patch_size} pixels, not {image_size}; set `image_size` to {below} or "
        f"{below + patch_size}."
    )
