"""Options that several commands share, as groups; their methods give what the options stand for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from moeclip_cli.arguments import (
    require_device_name,
    require_prompt,
    require_threshold,
    require_unsure,
)
from moeclip_cli.checkpoints.builtin import DEFAULT_MODEL, DEFAULT_TOWER
from moeclip_cli.checkpoints.formats import detect_format
from moeclip_cli.checkpoints.names import require_model
from moeclip_cli.choices import DEFAULT_PRECISION, PictureChoice, PrecisionChoice
from moeclip_cli.cli import console
from moeclip_cli.cli.fastest import Measured, settle
from moeclip_cli.cli.fractions import fraction
from moeclip_cli.cli.settings import apply_file
from moeclip_cli.discovery.prompts_file import DEFAULT_PROMPT, PromptRules
from moeclip_cli.errors import UsageError
from moeclip_cli.model.config import Domain
from moeclip_cli.tiles.framing import Framing

if TYPE_CHECKING:
    from moeclip_cli.discovery.inputs import ImageRef
    from moeclip_cli.discovery.places import ImagePlace
    from moeclip_cli.discovery.source import ImageSource, SourceCounts
    from moeclip_cli.images.paged import PagedImages
    from moeclip_cli.inspection.inspector import Inspector
    from moeclip_cli.inspection.profile import Profile
    from moeclip_cli.runs.stream import Pace

# Panels of the help.
DATA, IMAGES, MODEL, OUTPUT, RUNNING = "Data", "Images", "Model", "Output", "Running"

DEFAULT_OUT = Path("moeclip-out")
_WHOLE = Framing()
_DEBUG = "moeclip.debug"


def wants_traceback(ctx: Any) -> bool:
    """True if `--debug` was given to the command that runs under `ctx`."""
    return bool(ctx.meta.get(_DEBUG))


def _remember_debug(ctx: typer.Context, wanted: bool) -> bool:
    ctx.meta[_DEBUG] = wanted
    return wanted


def _valid_text(argument: str) -> str:
    r"""Decode an argument as UTF-8 in any locale; a byte that is not UTF-8 becomes e.g. `\xfc`."""
    return argument.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _option(panel: str, help_text: str, *names: str, **more: Any) -> Any:
    return typer.Option(*names, help=help_text, rich_help_panel=panel, **more)


_PROMPT_HELP = 'Name of the object in the images, e.g. "metal bracket".'
Prompt = Annotated[str, _option(MODEL, _PROMPT_HELP, "--prompt", "-p", callback=_valid_text)]
Threshold = Annotated[
    float | None, typer.Option("--threshold", "-t", parser=fraction, metavar="FLOAT")
]
Unsure = Annotated[
    float | None,
    typer.Option("--unsure", parser=fraction, metavar="FLOAT", show_default=False),
]
DataRoot = Annotated[
    Path | None,
    _option(
        DATA, "Folder with one subfolder per dataset.", envvar="MOECLIP_DATA", show_default="./data"
    ),
]
Out = Annotated[Path, _option(OUTPUT, "Output folder.", "--out", "-o")]
Overwrite = Annotated[bool, _option(OUTPUT, "Replace existing results.", "--overwrite")]
_WORKERS_HELP = (
    "Threads for reading images and writing files. Default: number of CPU cores, at most 8."
)
Workers = Annotated[int | None, _option(RUNNING, _WORKERS_HELP, "--workers", "-w", min=0)]
Processes = Annotated[
    int, _option(RUNNING, "Processes on this machine; with CUDA, one per GPU.", min=1)
]
_CONFIG_HELP = "Settings file. Default: moeclip.toml in the current folder, if it exists."
Config = Annotated[Path | None, _option(RUNNING, _CONFIG_HELP, callback=apply_file, is_eager=True)]
_DEBUG_HELP = "Show the traceback of an error."
Debug = Annotated[
    bool, _option(RUNNING, _DEBUG_HELP, "--debug", callback=_remember_debug, is_eager=True)
]


@dataclass(frozen=True)
class GeneralOptions:
    """Options of every command that can take minutes.

    Attributes:
        quiet: print errors only.
    """

    PANEL: ClassVar[str] = RUNNING

    quiet: Annotated[bool, typer.Option("--quiet", "-q")] = False
    config: Config = None
    debug: Debug = False


@dataclass(frozen=True)
class DeviceOptions:
    """Device and precision of the network.

    Attributes:
        device: device: auto, cpu, cuda, cuda:N or mps.
        precision: floating-point precision. auto is fp32 on every device.
    """

    PANEL: ClassVar[str] = RUNNING

    device: Annotated[str, typer.Option("--device", "-d")] = "auto"
    precision: PrecisionChoice = "auto"


@dataclass(frozen=True)
class RunOptions(DeviceOptions):
    """Use of the machine; changes no result but by rounding.

    Attributes:
        precision: floating-point precision. auto: the fastest on this device whose scores of
            generated pictures stay within 0.005 of fp32.
        batch_size: images per batch. Default: depends on the device, and halved when memory runs
            out.
    """

    precision: PrecisionChoice = DEFAULT_PRECISION
    batch_size: Annotated[int | None, typer.Option("--batch-size", "-b", min=1)] = None
    workers: Workers = None

    def pace(self, default_batch_size: int) -> Pace:
        """Batch size and threads; the default of the latter is by CPU cores.

        Args:
            default_batch_size: images per batch, if the user chose no number.
        """
        from moeclip_cli.parallel.cores import choose_workers
        from moeclip_cli.runs.stream import Pace

        return Pace(self.batch_size or default_batch_size, choose_workers(self.workers))


@dataclass(frozen=True)
class PictureOutput:
    """Output folder of a run that can write pictures.

    Attributes:
        picture_format: file format of pictures. auto: JPEG above 1 megapixel, else PNG.
    """

    PANEL: ClassVar[str] = OUTPUT

    out: Out = DEFAULT_OUT
    overwrite: Overwrite = False
    picture_format: PictureChoice = "auto"


@dataclass(frozen=True)
class ImageOptions:
    """The images of a run.

    Attributes:
        paths: image, folder, glob pattern or URL; - reads a list of them from standard input.
            camera:0, camera:URL and rtsp:// are streams, for moeclip score.
        recursive: search subfolders.
        limit: use only the first N images.
        max_pixels: reject images with more pixels than this.
        decode_seconds: stop decoding an image after this many seconds.
        pages: score these pages or frames of a file as images of their own: all, or 1-3,7. For
            TIFF, DICOM, animations and videos.
        every: of the pages or frames, score every so many only, the first included.
        verbose: also list skipped files and per-image notes.
    """

    PANEL: ClassVar[str] = IMAGES

    paths: Annotated[list[str], typer.Argument(metavar="PATH", show_default=False)]
    recursive: bool = True
    limit: Annotated[int | None, typer.Option(min=1)] = None
    max_pixels: Annotated[int | None, typer.Option(min=1)] = None
    decode_seconds: Annotated[float | None, typer.Option(min=0.1, show_default="20")] = None
    pages: Annotated[str | None, typer.Option(metavar="all|N-M", show_default=False)] = None
    every: Annotated[int | None, typer.Option(min=1, show_default=False)] = None
    verbose: Annotated[bool, typer.Option("--verbose", "-v")] = False

    def find(self, out: Path, *, quiet: bool) -> FoundImages:
        """Find the images; skipped files are counted, or listed if `verbose`.

        Args:
            out: the output folder, whose images are not inputs.
            quiet: print nothing about skipped files.

        Raises:
            UsageError: if a path is not found or there are no images.
        """
        from moeclip_cli.cli.paged_options import paged, require_files
        from moeclip_cli.discovery.source import find_images

        require_files(self.paths)
        source = find_images(self.paths, recursive=self.recursive, stdin=sys.stdin, exclude=out)
        counts = source.counts()
        if not quiet:
            self._mention_skipped(source, counts)
        if self.pages is None and self.every is None:
            return FoundImages(source, min(counts.images, self.limit or counts.images))
        pages = paged(
            source,
            self.pages,
            self.every,
            max_pixels=self.max_pixels,
            decode_seconds=self.decode_seconds,
            quiet=quiet,
        )
        return FoundImages(pages, min(len(pages), self.limit or len(pages)))

    def _mention_skipped(self, source: ImageSource, counts: SourceCounts) -> None:
        if self.verbose:
            for entry in source.skipped():
                console.note(f"Skipped {entry.path} ({entry.reason or 'no image extension'}).")
            return
        if counts.other_files:
            console.note(
                f"Skipped {console.counted(counts.other_files, 'file')} without an image extension "
                "(--verbose lists them)."
            )
        if counts.unreadable_folders:
            folders = console.counted(counts.unreadable_folders, "folder")
            console.warn(f"Cannot list {folders} (--verbose lists them).")


@dataclass(frozen=True)
class FoundImages:
    """The first images of a source. Can be iterated any number of times."""

    _source: ImageSource | PagedImages
    _count: int

    def __iter__(self) -> Iterator[ImageRef]:
        return islice(self._source, self._count)

    def __len__(self) -> int:
        return self._count

    @property
    def total(self) -> int:
        """Number of images."""
        return self._count


@dataclass(frozen=True)
class Product:
    """The product in the images.

    Attributes:
        prompt: its name, for images without a rule.
        rules: other names of some images, by path.
        rules_text: the text of the file that contains `rules`.
        threshold: score from which an image is anomalous, if the user chose one.
        profile: its calibrated threshold.
        unsure: score from which an image that is not anomalous is unsure, if the user chose one.
    """

    prompt: str
    rules: PromptRules | None = None
    rules_text: str | None = None
    threshold: float | None = None
    profile: Profile | None = None
    unsure: float | None = None

    def prompt_for(self, path: Path) -> str:
        """The name of the object in the image at `path`."""
        return (self.rules and self.rules.prompt_for(path)) or self.prompt


@dataclass(frozen=True)
class ProductOptions:
    """Name and threshold of the product in the images.

    Attributes:
        prompts: TOML or JSON file that maps folders or glob patterns to prompts.
        threshold: score from which an image is anomalous. Default: threshold of the profile or the
            checkpoint.
        unsure: lower score from which an image that is not anomalous is unsure, for a check by eye.
            Default: that of the profile or none.
        profile: profile file written by `moeclip calibrate`: a threshold and its prompt, and with
            --references the good parts that images are compared with.
    """

    PANEL: ClassVar[str] = MODEL

    prompt: Prompt = DEFAULT_PROMPT
    prompts: Path | None = None
    threshold: Threshold = None
    unsure: Unsure = None
    profile: Path | None = None

    def read(self) -> Product:
        """Read the files that the options name.

        Raises:
            UsageError: if the prompt is empty, a file is invalid, or options contradict each other.
        """
        profile = self._load_profile()
        prompt = self.prompt if profile is None else self._prompt_of(profile)
        require_prompt(prompt)
        if self.prompts is None:
            return Product(prompt, threshold=self.threshold, profile=profile, unsure=self.unsure)
        rules, text = PromptRules.load(self.prompts), self.prompts.read_text(encoding="utf-8")
        return Product(prompt, rules, text, self.threshold, unsure=self.unsure)

    def _load_profile(self) -> Profile | None:
        if self.profile is None:
            return None
        from moeclip_cli.inspection.profile import Profile

        return Profile.load(self.profile)

    def _prompt_of(self, profile: Profile) -> str:
        if self.prompts is not None:
            raise UsageError("A profile is for one product; use either --profile or --prompts.")
        if self.prompt not in (DEFAULT_PROMPT, profile.prompt):
            raise UsageError(
                f'The profile is for --prompt "{profile.prompt}", not "{self.prompt}"; omit the '
                "prompt, or calibrate again."
            )
        return profile.prompt


@dataclass(frozen=True)
class ModelOptions:
    """The model that scores the images.

    Attributes:
        model: built-in model, checkpoint file, or hf://owner/repo[/file][@revision].
        reference: image, folder or glob pattern of good parts to compare the images with. Can be
            repeated. The score is then the distance to the most similar good parts.
        reference_rotations: number of angles at which each reference is compared. 1 if parts always
            lie the same way, 8 if they lie in any way.
        backbone_weights: local CLIP weights file: OpenAI .pt, or open_clip .pt or .safetensors.
        domain: scoring domain. Default: domain of the checkpoint.
        image_size: network input size in pixels. Replaces all input sizes stored in the checkpoint.
    """

    PANEL: ClassVar[str] = MODEL

    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            show_default=f"{DEFAULT_MODEL}; with --reference or --mutual {DEFAULT_TOWER}",
        ),
    ] = None
    reference: Annotated[list[str] | None, typer.Option(show_default=False)] = None
    reference_rotations: Annotated[int, typer.Option(min=1, max=36)] = 1
    backbone_weights: Path | None = None
    domain: Domain | None = None
    image_size: int | None = None

    def check(
        self,
        device: DeviceOptions,
        threshold: float | None = None,
        unsure: float | None = None,
        *,
        compared: bool = False,
    ) -> None:
        """Refuse what is wrong with any model, before PyTorch is imported, which takes seconds.

        Args:
            device: device and precision.
            threshold: the threshold that the user gave, if any.
            unsure: the lower one that the user gave, if any.
            compared: there are references, also without `reference`.

        Raises:
            ModelError: if the model or the backbone file cannot be found.
            UsageError: if the device has an unknown name, a threshold is not a score, the lower
                one is not below it, or rotations are given without references.
        """
        require_device_name(device.device)
        if self.reference_rotations > 1 and not (self.reference or compared):
            raise UsageError(
                "`reference_rotations` turns references; give them as `reference`, or omit it."
            )
        if threshold is not None:
            require_threshold(threshold)
        if unsure is not None:
            require_unsure(unsure, threshold)
        if self.model is not None:
            require_model(self.model)
        if self.backbone_weights is not None:
            detect_format(self.backbone_weights)

    def load_inspector(
        self,
        device: DeviceOptions,
        *,
        quiet: bool,
        images: ImageOptions | None = None,
        product: Product | None = None,
        references: list[ImagePlace] | None = None,
        framing: Framing = _WHOLE,
    ) -> Inspector:
        """Load the model onto the device.

        Args:
            device: device and precision.
            quiet: show no status.
            images: limits on each image; None for the defaults.
            product: threshold or profile to use; None for the checkpoint's threshold.
            references: good parts for a profile, of which a few patches are kept; None for those of
                the option.
            framing: tiles and region of the images.

        Raises:
            ModelError, UsageError: see `Inspector.load`.
        """
        measured = Measured(
            self.model,
            device.device,
            self.backbone_weights,
            self.image_size,
            self.domain,
            compares=bool(self.reference or references),
        )
        profile = product.profile if product else None
        settled = settle(device.precision, measured, profile, quiet=quiet)
        with console.status("Loading the model", quiet=quiet):
            inspector = self.inspector_loader(
                replace(device, precision=settled.precision),
                images=images,
                product=product and replace(product, profile=settled.profile),
                references=references,
                framing=framing,
            )()
        inspector.facts |= settled.facts
        built = references is not None or self.reference
        if inspector.references is not None and built and not quiet:
            for remark in inspector.references.remarks():
                console.warn(remark)
        return inspector

    def inspector_loader(
        self,
        device: DeviceOptions,
        *,
        images: ImageOptions | None = None,
        product: Product | None = None,
        references: list[ImagePlace] | None = None,
        framing: Framing = _WHOLE,
    ) -> partial[Inspector]:
        """What loads the model, also in another process; see `load_inspector`."""
        # Importing PyTorch takes longer than loading a small model.
        from moeclip_cli.images.decode import DEFAULT_DECODE_SECONDS, DEFAULT_MAX_PIXELS
        from moeclip_cli.inspection.inspector import Inspector
        from moeclip_cli.model.bank import COMPARED_PATCHES, KEPT_PATCHES

        return partial(
            Inspector.load,
            self.model,
            references=self._references() if references is None else references,
            reference_patches=COMPARED_PATCHES if references is None else KEPT_PATCHES,
            reference_rotations=self.reference_rotations,
            backbone_weights=self.backbone_weights,
            image_size=self.image_size,
            domain=self.domain,
            threshold=product.threshold if product else None,
            unsure=product.unsure if product else None,
            profile=product.profile if product else None,
            device=device.device,
            precision=device.precision,
            max_pixels=(images and images.max_pixels) or DEFAULT_MAX_PIXELS,
            decode_seconds=(images and images.decode_seconds) or DEFAULT_DECODE_SECONDS,
            **vars(framing),
        )

    def _references(self) -> list[ImagePlace] | None:
        """The files of the references, or None if there are none.

        Raises:
            UsageError: if a path is not found or there are no images.
        """
        if not self.reference:
            return None
        from moeclip_cli.discovery.source import find_images

        return [ref.path for ref in find_images(self.reference)]
