"""Options of `moeclip benchmark`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from moeclip_cli.checkpoints.builtin import DEFAULT_MODEL, DEFAULT_TOWER
from moeclip_cli.cli import options
from moeclip_cli.cli.fastest import Measured
from moeclip_cli.cli.model_options import ModelOptions
from moeclip_cli.datasets.only_good import require_only_good
from moeclip_cli.errors import UsageError
from moeclip_cli.evaluation.results import ProtocolChoice
from moeclip_cli.model.config import Domain

if TYPE_CHECKING:
    from moeclip_cli.evaluation.plan import Selection
    from moeclip_cli.evaluation.shots import FewShot
    from moeclip_cli.runs.benchmark_models import BenchmarkedModel, Comparison
    from moeclip_cli.tiles.framing import Framing


@dataclass(frozen=True)
class BenchmarkData:
    """Datasets of a benchmark.

    Attributes:
        names: datasets, such as mvtec; `moeclip datasets` lists them.
        everything: evaluate all of the 14 datasets that are found.
        data: own data: a folder with subfolders good and bad (and masks), a folder in MVTec's
            layout, or a manifest. Can be repeated.
        prompt: name of the object in own data. Default: names of the categories.
        domain: domain of own data. Default: industrial.
        limit: use only N images of each category, of both labels.
        strict: fail if a dataset is broken or its numbers of images differ from the published ones.
    """

    PANEL: ClassVar[str] = options.DATA

    names: Annotated[list[str] | None, typer.Argument(metavar="NAME", show_default=False)] = None
    everything: Annotated[bool, typer.Option("--all")] = False
    # MOECLIP_DATA is the data root.
    data: Annotated[
        list[Path] | None, typer.Option(envvar="MOECLIP_OWN_DATA", show_default=False)
    ] = None
    data_root: options.DataRoot = None
    prompt: Annotated[str | None, typer.Option("--prompt", "-p")] = None
    domain: Domain | None = None
    limit: Annotated[int | None, typer.Option(min=1)] = None
    strict: bool = False

    def select(self) -> Selection:
        """Open the datasets.

        Raises:
            DatasetError: if one is not found or, if `strict`, differs from the published one.
            UsageError: if two datasets have the same name.
        """
        from moeclip_cli.evaluation.plan import select_datasets

        selection = select_datasets(
            self.names or [],
            self.data or [],
            self.data_root,
            everything=self.everything,
            prompt=self.prompt,
            domain=self.domain,
        )
        if self.strict:
            selection.require_as_published()
        return selection

    @property
    def is_empty(self) -> bool:
        """True if no dataset is named."""
        return not (self.names or self.everything or self.data)


@dataclass(frozen=True)
class ReferenceOptions:
    """Other images that images are compared with.

    Attributes:
        mutual: compare the test images of each category with each other, as `moeclip score
            --mutual` does, in random subsets of at most 200. With --processes, each process
            compares whole categories.
        shots: few-shot evaluation with these numbers of references, separated by commas, such as
            1,2,4,8: good images of the training split of each category.
        draws: with --shots, number of times that the references are drawn.
        reference: image, folder or glob pattern of good parts that the images of all categories are
            compared with. Can be repeated.
        reference_rotations: number of angles at which each reference is compared. 1 if parts always
            lie the same way, 8 if they lie in any way.
    """

    mutual: bool = False
    shots: Annotated[tuple[int, ...] | None, typer.Option(show_default=False)] = None
    draws: Annotated[int, typer.Option(min=1, max=1000)] = 5
    reference: Annotated[list[str] | None, typer.Option(show_default=False)] = None
    reference_rotations: Annotated[int, typer.Option(min=1, max=36)] = 1

    @property
    def wanted(self) -> bool:
        """Whether images are compared with other images."""
        return self.mutual or self.shots is not None or bool(self.reference)

    def check(self) -> None:
        """Refuse two comparisons at once, options of none, and references with defects.

        Raises:
            UsageError: if there are any.
        """
        if self.mutual and (self.shots is not None or self.reference):
            other = "--reference" if self.shots is None else "--shots"
            raise UsageError(
                f"--mutual compares the test images with each other; omit it or {other}."
            )
        if self.shots is not None and self.reference:
            raise UsageError(
                "--shots takes the references from the training split; omit --reference."
            )
        if self.draws != ReferenceOptions.draws and self.shots is None:
            raise UsageError("--draws repeats the evaluation of --shots; add it, or omit --draws.")
        if self.reference_rotations > 1 and self.shots is None and not self.reference:
            raise UsageError(
                "--reference-rotations turns references; add --reference or --shots, or omit it."
            )
        require_only_good(self.reference or ())

    def few_shot(self) -> FewShot | None:
        """Numbers of references from the training split, if they are wanted.

        Raises:
            UsageError: if the numbers are invalid.
        """
        if self.shots is None:
            return None
        from moeclip_cli.evaluation.shots import FewShot

        return FewShot(tuple(sorted(set(self.shots))), self.draws, self.reference_rotations)

    def comparison(self) -> Comparison | None:
        """What images are compared with, if they are.

        Raises:
            UsageError: if a path is not found or there are no images.
        """
        if not self.wanted:
            return None
        from moeclip_cli.discovery.source import find_images
        from moeclip_cli.runs.benchmark_models import Comparison

        found = [ref.path for ref in find_images(self.reference)] if self.reference else None
        return Comparison(found, self.reference_rotations, mutual=self.mutual)


@dataclass(frozen=True)
class BenchmarkModels:
    """Models of a benchmark.

    Attributes:
        model: built-in model, checkpoint file, or hf://owner/repo[/file][@revision]. Can be
            repeated to compare models.
        backbone_weights: local CLIP weights file: OpenAI .pt, or open_clip .pt or .safetensors.
        image_size: network input size in pixels. Replaces all input sizes stored in the checkpoint.
    """

    PANEL: ClassVar[str] = options.MODEL

    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            show_default=(
                f"{DEFAULT_MODEL}; with --mutual, --shots or --reference {DEFAULT_TOWER}"
            ),
        ),
    ] = None
    references: ReferenceOptions = ReferenceOptions()
    backbone_weights: Path | None = None
    image_size: int | None = None

    @property
    def names(self) -> list[str]:
        """The models, each of them once."""
        usual = DEFAULT_TOWER if self.references.wanted else DEFAULT_MODEL
        return list(dict.fromkeys(self.model or [usual]))

    def check(self, device: options.DeviceOptions) -> None:
        """Refuse models, a backbone file or a device of unknown names.

        Raises:
            ModelError, UsageError: see `ModelOptions.check`.
        """
        for name in self.names:
            model = ModelOptions(name, backbone_weights=self.backbone_weights)
            model.check(device)

    def measured(self, device: str) -> Measured:
        """The first model, for its fastest precision on a device."""
        return Measured(
            self.names[0],
            device,
            self.backbone_weights,
            self.image_size,
            compares=self.references.wanted,
        )

    def load(self, device: options.DeviceOptions, framing: Framing) -> list[BenchmarkedModel]:
        """Load the models.

        Args:
            device: device and precision.
            framing: tiles of the images.

        Raises:
            ModelError, UsageError: see `Inspector.load`.
        """
        from moeclip_cli.runs.benchmark_models import load_models

        return load_models(
            self.names,
            comparison=self.references.comparison(),
            backbone_weights=self.backbone_weights,
            image_size=self.image_size,
            device=device.device,
            precision=device.precision,
            framing=framing,
        )


@dataclass(frozen=True)
class EvaluationOptions:
    """Metrics of a benchmark.

    Attributes:
        protocol: scores to evaluate. paper: normalised over each category, as published. deployed:
            those of `moeclip score`. both: show the difference.
        compare: also show the six other published methods.
        mask_cut: mask pixels above this value are anomalous. 0 is as published; 128 ignores the
            noise of JPEG masks (Endo).
        self_check: instead of a benchmark, compare this installation with recorded numbers on
            generated images.
    """

    PANEL: ClassVar[str] = "Evaluation"

    protocol: Annotated[
        ProtocolChoice | None,
        typer.Option(show_default="paper for the 14 datasets, deployed for own data"),
    ] = None
    compare: bool = False
    mask_cut: Annotated[int, typer.Option(min=0, max=254)] = 0
    self_check: bool = False


@dataclass(frozen=True)
class BenchmarkOutput:
    """Output folder of a benchmark."""

    out: options.Out = Path("moeclip-benchmark")
    overwrite: options.Overwrite = False

    def check(self) -> None:
        """Refuse a folder that a benchmark cannot use.

        Raises:
            UsageError: see `RunFolder.claim`.
        """
        from moeclip_cli.runs.folder import require_usable
        from moeclip_cli.runs.kinds import BENCHMARK, continues_benchmark

        resume = continues_benchmark(self.out, overwrite=self.overwrite)
        require_usable(self.out, BENCHMARK, overwrite=self.overwrite, resume=resume)
