"""`moeclip export`: write a model and its prompts as one graph for other runtimes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from moeclip_cli.checkpoints.builtin import BUILTIN_TOWERS, DEFAULT_MODEL
from moeclip_cli.checkpoints.names import GRAPH_SUFFIX
from moeclip_cli.choices import ExportFormat
from moeclip_cli.cli import console, options
from moeclip_cli.cli.fractions import fraction
from moeclip_cli.cli.groups import AsOptions, grouped
from moeclip_cli.cli.progress import meter
from moeclip_cli.discovery.prompts_file import DEFAULT_PROMPT
from moeclip_cli.errors import UsageError
from moeclip_cli.extras import require_extra

if TYPE_CHECKING:
    from moeclip_cli.discovery.places import ImagePlace
    from moeclip_cli.exports.check import Differences
    from moeclip_cli.inspection.image_like import ImageLike
    from moeclip_cli.inspection.inspector import Inspector

_NO_REFERENCES = AsOptions(without=("reference", "reference_rotations"))


@dataclass(frozen=True)
class GraphOptions:
    """What the graph contains.

    Attributes:
        prompt: name of an object that the graph can score. Can be repeated.
        threshold: score from which an image is anomalous, stored in the file. Default: threshold of
            the checkpoint.
        with_preprocessing: take 8-bit RGB images of any size, which the graph resizes and
            normalises itself.
    """

    PANEL: ClassVar[str] = options.MODEL

    prompt: Annotated[
        list[str] | None, typer.Option("--prompt", "-p", show_default=DEFAULT_PROMPT)
    ] = None
    threshold: Annotated[
        float | None, typer.Option("--threshold", "-t", parser=fraction, metavar="FLOAT")
    ] = None
    with_preprocessing: bool = False


@dataclass(frozen=True)
class ExportOutput:
    """The file of the graph, and its check.

    Attributes:
        to: file format of the graph.
        check: compare graph and model on generated images before the file is written.
        check_on: image, folder or glob pattern to compare them on, too. Can be repeated.
    """

    PANEL: ClassVar[str] = options.OUTPUT

    to: ExportFormat = "onnx"
    overwrite: options.Overwrite = False
    check: Annotated[bool, typer.Option("--check/--no-check")] = True
    check_on: Annotated[list[str] | None, typer.Option(show_default=False)] = None


@grouped
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the file to write.")],
    model: Annotated[options.ModelOptions, _NO_REFERENCES],
    graph: GraphOptions,
    output: ExportOutput,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
    debug: options.Debug = False,
) -> None:
    """Write a model with its prompts as one graph, DIR/MODEL.onnx, and print its path.

    The graph gives the score and the anomaly map of images in any number. `moeclip score` and
    `moeclip heatmap` take the file as --model, also where PyTorch is not installed.

    Exit codes: 0 done, 2 usage error, 4 model not loaded or graph not equal to it, 130 interrupted.

    Example: moeclip export graphs --prompt "metal bracket" --with-preprocessing
    """
    if model.model in BUILTIN_TOWERS:
        raise UsageError(
            f"{model.model} has no adapters and scores by comparison with references only, which "
            "an exported graph does not do; choose another `model`."
        )
    target = folder / f"{_stem(model.model or DEFAULT_MODEL)}{GRAPH_SUFFIX}"
    if target.exists() and not output.overwrite:
        raise UsageError(f"{target} exists; choose another DIR, or use --overwrite.")
    if output.check_on and not output.check:
        raise UsageError("`check_on` names images for the check; omit it, or --no-check.")
    device = options.DeviceOptions("cpu", "fp32")
    model.check(device, graph.threshold)
    pictures = _found(output.check_on or [])
    for package in ("onnx", "onnxscript", *(["onnxruntime"] if output.check else [])):
        require_extra(package, "onnx")

    shown = options.Product(DEFAULT_PROMPT, threshold=graph.threshold)
    inspector = model.load_inspector(device, quiet=quiet, product=shown)

    from moeclip_cli.exports.onnx_file import export_onnx
    from moeclip_cli.files import replacing

    prompts = graph.prompt or [DEFAULT_PROMPT]
    with console.status("Exporting the graph", quiet=quiet):
        content = export_onnx(inspector, prompts, resizes=graph.with_preprocessing)
    if output.check:
        found = _check(inspector, content, pictures, quiet=quiet)
        if not quiet:
            _print_differences(found)
        found.require_small()
    with replacing(target, "dir") as stream:
        stream.write(content)
    print(target)


def _stem(model: str) -> str:
    """The name of a model without folders, suffix and revision."""
    return PurePosixPath(Path(model).name.partition("@")[0]).stem


def _found(paths: list[str]) -> list[ImagePlace]:
    """The images to compare on.

    Raises:
        UsageError: if a path is not found or there are no images.
    """
    if not paths:
        return []
    from moeclip_cli.discovery.source import find_images

    return [ref.path for ref in find_images(paths)]


def _check(
    inspector: Inspector, content: bytes, pictures: list[ImagePlace], *, quiet: bool
) -> Differences:
    """The largest differences on generated images and on pictures of the user."""
    from moeclip_cli.exports.check import compare, generated_images
    from moeclip_cli.exports.onnx_inspector import OnnxInspector
    from moeclip_cli.exports.onnx_session import OnnxSession

    exported = OnnxInspector(OnnxSession(content))
    images: list[ImageLike] = [*generated_images(inspector.image_size), *pictures]
    prompts = exported.model.prompts
    with meter(len(images) * len(prompts), quiet=quiet, label="Checking") as advance:
        return compare(inspector, exported, images, prompts, advance)


def _print_differences(found: Differences) -> None:
    unreadable = f" {found.unreadable} could not be read." if found.unreadable else ""
    console.note(
        f"Largest differences from the model on {console.counted(found.images, 'image')}: "
        f"{found.score:.1e} in a score, {found.map:.1e} in a map.{unreadable}"
    )
