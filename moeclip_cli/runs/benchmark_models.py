"""The models of a benchmark, each loaded for both domains."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from moeclip_cli.inspection.inspector import Inspector
from moeclip_cli.model.config import Domain


@dataclass(frozen=True)
class BenchmarkedModel:
    """A model of a benchmark.

    Attributes:
        name: name in tables; unique in a benchmark.
        inspectors: one for each domain, with the same network.
        identity: everything about the model that decides its results, in JSON types.
    """

    name: str
    inspectors: Mapping[Domain, Inspector]
    identity: Mapping[str, Any]

    @classmethod
    def load(
        cls,
        model: str,
        *,
        backbone_weights: Path | None = None,
        image_size: int | None = None,
        device: str = "auto",
        precision: str = "auto",
    ) -> BenchmarkedModel:
        """Load a model for both domains; see `Inspector.load` for the arguments.

        Raises:
            ModelError, UsageError: see `Inspector.load`.
        """
        industrial = Inspector.load(
            model,
            backbone_weights=backbone_weights,
            image_size=image_size,
            domain="industrial",
            device=device,
            precision=precision,
        )
        loaded = industrial.model
        medical = Inspector(loaded, domain="medical", device=device, precision=precision)
        identity = {
            "digest": loaded.digest,
            "backbone_digest": loaded.backbone_digest,
            "image_size": industrial.image_size,
            "scales": list(loaded.config.scales),
            "precision": industrial.precision,
            "threshold": industrial.threshold.value,
        }
        return cls(loaded.name, {"industrial": industrial, "medical": medical}, identity)

    @property
    def configuration(self) -> dict[str, Any]:
        """The configuration of the checkpoint, with the overrides of `load`."""
        return self.inspectors["industrial"].model.config.to_dict()


def load_models(
    models: Sequence[str],
    *,
    backbone_weights: Path | None = None,
    image_size: int | None = None,
    device: str = "auto",
    precision: str = "auto",
) -> list[BenchmarkedModel]:
    """Load models under unique names: files with the same name are called by their paths.

    Args:
        models: see `Inspector.load`, like all other arguments.
        backbone_weights: for all models.
        image_size: for all models.
        device: for all models.
        precision: for all models.

    Raises:
        ModelError, UsageError: see `Inspector.load`.
    """
    loaded = [
        BenchmarkedModel.load(
            model,
            backbone_weights=backbone_weights,
            image_size=image_size,
            device=device,
            precision=precision,
        )
        for model in models
    ]
    count = Counter(each.name for each in loaded)
    return [
        replace(each, name=model) if count[each.name] > 1 else each
        for model, each in zip(models, loaded, strict=True)
    ]
