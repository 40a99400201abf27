"""From a batch of prepared images to scores, by an exported graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.exports.session import GraphSession
from moeclip_cli.inspection.network_input import network_inputs
from moeclip_cli.inspection.prepared import PreparedImage
from moeclip_cli.inspection.scored_batch import ScoreArrays, ScoredBatch, ordinary_image


@dataclass(frozen=True, eq=False)
class GraphPass:
    """A graph: what it takes of an image, and how its outputs become scores.

    Attributes:
        session: the graph.
    """

    session: GraphSession

    def inputs(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[Any], ...]:
        """What the graph takes of an image (H, W, 3) uint8 RGB."""
        if self.session.description.resizes:
            return (pixels,)
        return self.normalised(pixels)

    def normalised(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], ...]:
        """An image (H, W, 3) uint8 RGB, resized and normalised at each size that the graph sees."""
        description = self.session.description
        return network_inputs(pixels, description, description.image_sizes)

    def batch(self, items: Sequence[PreparedImage]) -> ScoredBatch:
        """Scores of images without an error, whose inputs have the same shapes.

        Raises:
            ModelError: if memory runs out, or the graph does not fit its description.
            UsageError: if the graph has no text features of a prompt.
        """
        description = self.session.description
        scales = zip(*(item.pixels for item in items), strict=True)
        inputs = {
            name: np.stack(images) for name, images in zip(description.inputs, scales, strict=True)
        }
        numbers = [description.number(item.prompt) for item in items]
        if len(description.prompts) > 1:
            inputs["prompt"] = np.array(numbers, dtype=np.int64)
        if description.references:
            inputs["left_out"] = np.array([item.owner for item in items], dtype=np.int64)
        found = self.session.run(inputs)
        finite = [
            np.isfinite(array).reshape(len(items), -1).all(axis=1) for array in found.values()
        ]
        return ScoredBatch(
            ScoreArrays(
                score=found["score"],
                probability=found["anomaly_map"],
                map_max=found["map_max"],
                image_score=found["image_score"],
                raw_map=found["raw_map"],
                image_part=found["image_part"],
                finite=np.all(finite, axis=0),
                zero_shot=found.get("zero_shot"),
            )
        )

    def of_test_image(self, prompt: str) -> ScoredBatch:
        """Scores of an ordinary image, to tell a fault of the weights from one of an image."""
        return self.batch([PreparedImage("", prompt, self.inputs(ordinary_image()))])
