"""From a batch of prepared images to scores: zero-shot, or by the distance to references."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from moeclip_cli.checkpoints.loading import LoadedModel
from moeclip_cli.inspection.network_input import network_batch, resized_inputs
from moeclip_cli.inspection.prepared import PreparedImage
from moeclip_cli.inspection.references import References
from moeclip_cli.inspection.scored_batch import ScoreArrays, ScoredBatch, ordinary_image
from moeclip_cli.model.config import Domain
from moeclip_cli.model.frozen_tower import FrozenTower
from moeclip_cli.model.moeclip import Comparison
from moeclip_cli.model.scoring import Scores, score_distances, score_scales

# Text features of so many prompts are kept; a service may get endless different ones.
_KEPT_PROMPTS = 256


@dataclass(frozen=True, eq=False)
class ForwardPass:
    """A network on its device, and how its outputs become scores.

    Attributes:
        model: the network, on `device`, and its configuration.
        device: device of the network.
        domain: determines blur and formula.
        references: good parts that images are compared with, if any.
        encode_text: text features (C, 2) of a prompt.
    """

    model: LoadedModel
    device: torch.device
    domain: Domain
    references: References | None
    encode_text: Callable[[str], torch.Tensor]

    @torch.inference_mode()
    def __call__(
        self, items: Sequence[PreparedImage], adapter: int | None = None
    ) -> tuple[Scores, torch.Tensor | None]:
        """Score a batch.

        Args:
            items: images without an error, whose network inputs have the same shapes.
            adapter: index of the adapter whose first choices are wanted.

        Returns:
            Scores, and the first choice of expert of each patch (B, g, g) on the CPU.
        """
        network = self.model.network
        scales = [
            network_batch(images, network.preprocessing, self.device)
            for images in zip(*(item.pixels for item in items), strict=True)
        ]
        inside = self._inside(items)
        if self.references is not None:
            return self._compare(items, scales, self.references, inside), None
        if isinstance(network, FrozenTower):
            raise TypeError("a tower without adapters scores with references only")
        text = torch.stack([self.encode_text(item.prompt) for item in items])
        comparisons = [network(images, text) for images in scales]
        experts = None if adapter is None else comparisons[0].first_choice(adapter).cpu()
        return self._zero_shot(comparisons, inside), experts

    def batch(self, items: Sequence[PreparedImage], adapter: int | None = None) -> ScoredBatch:
        """Scores of a batch on the CPU; see `__call__`."""
        return ScoredBatch(score_arrays(*self(items, adapter)))

    def _inside(self, items: Sequence[PreparedImage]) -> torch.Tensor | None:
        """The pixels that count, (B, H, W) bool; None if all do."""
        if all(item.inside is None for item in items):
            return None
        everything = np.ones(items[0].pixels[0].shape[:2], dtype=np.bool_)
        parts = [everything if item.inside is None else item.inside for item in items]
        return torch.from_numpy(np.stack(parts)).to(self.device, non_blocking=True)

    def of_test_image(self, prompt: str) -> ScoredBatch:
        """Scores of an ordinary image, to tell a fault of the weights from one of an image."""
        network = self.model.network
        pixels = resized_inputs(ordinary_image(), network, self.model.config.sizes)
        return self.batch([PreparedImage("", prompt, pixels)])

    def _compare(
        self,
        items: Sequence[PreparedImage],
        scales: list[torch.Tensor],
        references: References,
        inside: torch.Tensor | None,
    ) -> Scores:
        """Scores by the distance to the references, with the zero-shot score of the same pass."""
        network = self.model.network
        levels = network.levels(scales[0])
        owners = torch.tensor([item.owner for item in items], device=self.device)
        height, width = scales[0].shape[-2:]
        if references.subsets:
            subsets = [*references.subsets, range(len(references.names))]
            found = references.bank.subset_distances(levels.tokens, subsets, owners)
            scores = score_distances(found[:, -1], levels.grid, (height, width), self.domain)
            return replace(scores, distances=found[:, :-1].unflatten(-1, levels.grid))
        distances = references.bank.distances(levels.tokens, owners)
        scores = score_distances(distances, levels.grid, (height, width), self.domain, inside)
        if isinstance(network, FrozenTower):
            return scores
        text = torch.stack([self.encode_text(item.prompt) for item in items])
        comparisons = [network.compare(network.with_detail(levels, scales[0]), text)]
        comparisons += [network(images, text) for images in scales[1:]]
        return replace(scores, zero_shot=self._zero_shot(comparisons, inside).score)

    def _zero_shot(self, comparisons: list[Comparison], inside: torch.Tensor | None) -> Scores:
        size = self.model.network.config.image_size
        weight = self.model.config.image_weight
        return score_scales(comparisons, size, self.domain, weight, inside)


def text_encoder(model: LoadedModel) -> Callable[[str], torch.Tensor]:
    """A function from a prompt to its text features (C, 2); it keeps those of the last prompts.

    A model that ignores prompts has the same features for all of them, to the last bit.
    """
    network = model.network

    @lru_cache(_KEPT_PROMPTS)
    def encode(prompt: str) -> torch.Tensor:
        if isinstance(network, FrozenTower):
            raise TypeError("a tower without adapters has no text side")
        return network.encode_text([prompt])[0]

    only = model.config.prompt
    return encode if only is None else lambda prompt: encode(only)


def _finite_images(scores: Scores) -> torch.Tensor:
    """For each image, (B,) bool on the CPU: True if all its scores and maps are finite."""
    parts = (scores.score, scores.map_max, scores.image_score, scores.probability, scores.raw_map)
    finite = [part.isfinite().reshape(len(part), -1).all(dim=1) for part in parts]
    return torch.stack(finite).all(dim=0).cpu()


def score_arrays(scores: Scores, experts: torch.Tensor | None = None) -> ScoreArrays:
    """Scores of a batch on the CPU.

    Args:
        scores: of the images.
        experts: first choices of experts (B, g, g), if they are wanted.
    """

    def array(values: torch.Tensor | None) -> NDArray[Any] | None:
        return None if values is None else values.cpu().numpy()

    return ScoreArrays(
        score=scores.score.cpu().numpy(),
        probability=scores.probability.cpu().numpy(),
        map_max=scores.map_max.cpu().numpy(),
        image_score=scores.image_score.cpu().numpy(),
        raw_map=scores.raw_map.cpu().numpy(),
        image_part=scores.image_part.cpu().numpy(),
        finite=_finite_images(scores).numpy(),
        zero_shot=array(scores.zero_shot),
        distances=array(scores.distances),
        experts=array(experts),
    )
