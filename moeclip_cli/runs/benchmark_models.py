"""The models of a benchmark, each ready for both domains."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from moeclip_cli.checkpoints.loading import LoadedModel, load_model
from moeclip_cli.discovery.places import ImagePlace
from moeclip_cli.errors import UsageError
from moeclip_cli.inspection.inspector import Inspector
from moeclip_cli.inspection.layout import Layout
from moeclip_cli.inspection.mutual import MutualInspector
from moeclip_cli.inspection.network_input import patches_per_side
from moeclip_cli.inspection.references import GoodParts
from moeclip_cli.model.config import Domain
from moeclip_cli.model.frozen_tower import FrozenTower
from moeclip_cli.parallel.device import choose_device, choose_precision
from moeclip_cli.tiles.framing import Framing

_WHOLE = Framing()


@dataclass(frozen=True)
class Comparison:
    """What a benchmark compares images with.

    Attributes:
        paths: good parts for all categories; None if each category has its own.
        rotations: number of angles at which each reference is compared.
        mutual: the images of each category are compared with each other instead.
    """

    paths: Sequence[ImagePlace] | None = None
    rotations: int = 1
    mutual: bool = False


@dataclass(frozen=True)
class BenchmarkedModel:
    """A model of a benchmark.

    Attributes:
        name: name in tables; unique in a benchmark.
        loaded: the network.
        identity: everything about the model that decides its results, in JSON types.
        inspectors: one for each domain, with the same network; none if each category has its own
            references, see `inspector`, or its images are compared, see `mutual_inspector`.
        device: of the network: auto, cpu, cuda, cuda:N or mps.
        precision: of the network: auto, fp32, bf16 or fp16.
        layout: tiles of each image, if there are any.
    """

    name: str
    loaded: LoadedModel
    identity: Mapping[str, Any]
    inspectors: Mapping[Domain, Inspector]
    device: str = "auto"
    precision: str = "auto"
    layout: Layout | None = None

    @classmethod
    def load(
        cls,
        model: str,
        *,
        comparison: Comparison | None = None,
        backbone_weights: Path | None = None,
        spare_builtin: bool = False,
        image_size: int | None = None,
        device: str = "auto",
        precision: str = "auto",
        framing: Framing = _WHOLE,
    ) -> BenchmarkedModel:
        """Load a model for both domains.

        Args:
            model: see `Inspector.load`, like the following arguments.
            comparison: what images are compared with; None to score them one by one.
            backbone_weights: a backbone file to use instead of the one that the checkpoint names.
            spare_builtin: leave a model on a built-in backbone on it.
            image_size: side of the network input in pixels.
            device: device of the network.
            precision: precision of the network.
            framing: tiles of the images.

        Raises:
            ModelError, UsageError: see `Inspector.load`.
        """
        choose_device(device)  # refuses an invalid device before minutes of download
        loaded = load_model(
            model,
            backbone_weights=backbone_weights,
            image_size=image_size,
            spare_builtin=spare_builtin,
        )
        identity = {
            "digest": loaded.digest,
            "backbone_digest": loaded.backbone_digest,
            "image_size": loaded.network.config.image_size,
            "scales": list(loaded.config.scales),
            "precision": str(choose_precision(precision)).removeprefix("torch."),
        }
        layout = Layout.of(framing, patches_per_side(loaded.network))
        identity |= {} if layout is None else layout.settings
        found = cls(loaded.name, loaded, identity, {}, device, precision, layout)
        if comparison is None:
            if isinstance(loaded.network, FrozenTower):
                raise UsageError(
                    f"{loaded.name} has no adapters and scores by comparison only; use `shots` to "
                    "compare with good training images, `mutual` to compare the test images with "
                    "each other, or give good parts as `reference`."
                )
            industrial = found.inspector("industrial")
            identity["threshold"] = industrial.threshold.value
            return found._with(industrial, found.inspector("medical"))
        if comparison.mutual:
            mutual = found.mutual_inspector("industrial")
            identity |= mutual.mode_settings
            return replace(found, name=mutual.model.name)
        identity |= {
            "layers": list(loaded.network.config.layers),
            "preprocessing_digest": loaded.network.preprocessing.digest,
            "reference_rotations": comparison.rotations,
        }
        if comparison.paths is None:
            return found
        industrial = found.inspector("industrial", comparison.paths, comparison.rotations)
        medical = found.inspector("medical", industrial.references)
        identity["references"] = industrial.settings["references"]
        return found._with(industrial, medical)

    def _with(self, industrial: Inspector, medical: Inspector) -> BenchmarkedModel:
        return replace(self, inspectors={"industrial": industrial, "medical": medical})

    def inspector(
        self, domain: Domain, references: GoodParts | None = None, rotations: int = 1
    ) -> Inspector:
        """An inspector with this network.

        Args:
            domain: determines blur and formula.
            references: good parts that images are compared with, if any.
            rotations: number of angles at which each reference is compared.

        Raises:
            ModelError, UsageError: see `Inspector`.
        """
        return Inspector(
            self.loaded,
            domain=domain,
            references=references,
            reference_rotations=rotations,
            device=self.device,
            precision=self.precision,
            layout=self.layout,
        )

    def mutual_inspector(self, domain: Domain) -> MutualInspector:
        """An inspector with this network that compares images with each other.

        Args:
            domain: determines the blur.
        """
        return MutualInspector(
            self.loaded, domain=domain, device=self.device, precision=self.precision
        )

    @property
    def mode(self) -> str:
        """What its name says about the way of scoring: ", mutual" or nothing."""
        return self.name.removeprefix(self.loaded.name)

    @property
    def remarks(self) -> list[str]:
        """Sentences about references for all categories that need a look."""
        inspector = self.inspectors.get("industrial")
        if inspector is None or inspector.references is None:
            return []
        return inspector.references.remarks()

    @property
    def configuration(self) -> dict[str, Any]:
        """The configuration of the checkpoint, with the overrides of `load`."""
        content = self.loaded.config.to_dict()
        if isinstance(self.loaded.network, FrozenTower):  # which has no adapters to configure
            network = content["network"]
            content["network"] = {name: network[name] for name in ("layers", "image_size")}
        return content


def load_models(
    models: Sequence[str],
    *,
    comparison: Comparison | None = None,
    backbone_weights: Path | None = None,
    image_size: int | None = None,
    device: str = "auto",
    precision: str = "auto",
    framing: Framing = _WHOLE,
) -> list[BenchmarkedModel]:
    """Load models under unique names: files with the same name are called by their paths.

    Args:
        models: see `BenchmarkedModel.load`, like all other arguments.
        comparison: for all models.
        backbone_weights: for all models; of several, those on a built-in backbone stay on it.
        image_size: for all models.
        device: for all models.
        precision: for all models.
        framing: for all models.

    Raises:
        ModelError, UsageError: see `Inspector.load`.
    """
    loaded = [
        BenchmarkedModel.load(
            model,
            comparison=comparison,
            backbone_weights=backbone_weights,
            spare_builtin=len(models) > 1,
            image_size=image_size,
            device=device,
            precision=precision,
            framing=framing,
        )
        for model in models
    ]
    files = {each.loaded.backbone for each in loaded}
    if len(models) > 1 and backbone_weights is not None and backbone_weights not in files:
        raise UsageError("All models are on backbones of moeclip; omit `backbone_weights`.")
    count = Counter(each.name for each in loaded)
    return [
        replace(each, name=model + each.mode) if count[each.name] > 1 else each
        for model, each in zip(models, loaded, strict=True)
    ]
