"""`moeclip export`: write a model and its prompts as one graph for other runtimes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from moeclip_cli.checkpoints.builtin import BUILTIN_TOWERS, DEFAULT_MODEL, DEFAULT_TOWER
from moeclip_cli.checkpoints.names import GRAPH_SUFFIXES
from moeclip_cli.choices import ExportFormat, ExportWeights
from moeclip_cli.cli import console, options
from moeclip_cli.cli.fractions import fraction
from moeclip_cli.cli.groups import grouped
from moeclip_cli.cli.model_options import ModelOptions
from moeclip_cli.cli.product_options import Product, ProductOptions
from moeclip_cli.cli.progress import meter
from moeclip_cli.discovery.prompts_file import DEFAULT_PROMPT
from moeclip_cli.errors import UsageError
from moeclip_cli.exports.openvino_file import WEIGHTS_SUFFIX, OpenVinoFiles, to_openvino
from moeclip_cli.extras import require_extra

if TYPE_CHECKING:
    from moeclip_cli.discovery.places import ImagePlace
    from moeclip_cli.exports.check import Differences
    from moeclip_cli.exports.onnx_inspector import OnnxInspector
    from moeclip_cli.inspection.image_like import ImageLike
    from moeclip_cli.inspection.inspector import Inspector


@dataclass(frozen=True)
class GraphOptions:
    """What the graph contains.

    Attributes:
        prompt: name of an object that the graph can score. Can be repeated.
        threshold: score from which an image is anomalous, stored in the file. Default: threshold of
            the profile or the checkpoint.
        profile: profile file written by `moeclip calibrate`: its threshold, prompt, tiles and
            references go into the graph.
        with_preprocessing: take 8-bit RGB images of any size, which the graph resizes and
            normalises itself.
        weights: how the weights are stored. fp16 halves the file, int8 quarters it; the graph
            computes in fp32 with all of them.
    """

    PANEL: ClassVar[str] = options.MODEL

    prompt: Annotated[
        list[str] | None, typer.Option("--prompt", "-p", show_default=DEFAULT_PROMPT)
    ] = None
    threshold: Annotated[
        float | None, typer.Option("--threshold", "-t", parser=fraction, metavar="FLOAT")
    ] = None
    profile: Path | None = None
    with_preprocessing: bool = False
    weights: ExportWeights = "fp32"

    def read(self) -> Product:
        """Threshold and profile of the product, and the prompt that stands for all.

        Raises:
            UsageError: if the profile is invalid or for another prompt.
        """
        first = self.prompt[0] if self.prompt else DEFAULT_PROMPT
        found = ProductOptions(first, threshold=self.threshold, profile=self.profile).read()
        if self.profile is not None and len(self.prompt or []) > 1:
            raise UsageError("A profile is for one product; give one `prompt`, or none.")
        return found


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
    model: ModelOptions,
    graph: GraphOptions,
    output: ExportOutput,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
    debug: options.Debug = False,
) -> None:
    """Write a model with its prompts as one graph, DIR/MODEL.onnx, and print its path.

    With --to openvino, write DIR/MODEL.xml and DIR/MODEL.bin, which OpenVINO reads.

    The graph gives the score and the anomaly map of images in any number, with --reference or a
    profile by their distance to good parts. `moeclip score` and `moeclip heatmap` take the file as
    --model, also where PyTorch is not installed.

    Exit codes: 0 done, 2 usage error, 4 model not loaded or graph not equal to it, 130 interrupted.

    Example: moeclip export graphs --prompt "metal bracket" --with-preprocessing
    """
    product = graph.read()
    name = _model_of(model, product)
    if name in BUILTIN_TOWERS and not (model.reference or product.profile):
        raise UsageError(
            f"{name} has no adapters and scores by comparison with references only; give good "
            "parts as `reference` or a `profile` that contains them, or choose another `model`."
        )
    stem = _stem(name) + (f"-{graph.weights}" if graph.weights != "fp32" else "")
    target = folder / f"{stem}{GRAPH_SUFFIXES[output.to]}"
    if output.to == "openvino" and graph.with_preprocessing:
        raise UsageError(
            "OpenVINO resizes images too coarsely; omit `with_preprocessing`, so that moeclip "
            "resizes them before the graph."
        )
    paths = _paths(target, output.to)
    for path in paths:
        if path.exists() and not output.overwrite:
            raise UsageError(f"{path} exists; choose another DIR, or use --overwrite.")
    if output.check_on and not output.check:
        raise UsageError("`check_on` names images for the check; omit it, or --no-check.")
    device = options.DeviceOptions("cpu", "fp32")
    model.check(device, graph.threshold)
    pictures = _found(output.check_on or [])
    _require_packages(output)

    inspector = model.load_inspector(device, quiet=quiet, product=product)

    from moeclip_cli.exports.onnx_file import export_onnx
    from moeclip_cli.files import replacing

    prompts = graph.prompt or [product.prompt]
    with console.status("Exporting the graph", quiet=quiet):
        content = export_onnx(
            inspector, prompts, resizes=graph.with_preprocessing, weights=graph.weights
        )
        parts = to_openvino(content) if output.to == "openvino" else (content,)
    if output.check:
        exported = _opened(parts)
        found = _check(inspector, exported, pictures, quiet=quiet)
        if not quiet:
            _print_differences(found)
        if graph.weights == "fp32":
            found.require_small()
        elif not quiet:
            _print_cost(inspector, exported)
    for path, part in zip(paths, parts, strict=True):
        with replacing(path, "dir") as stream:
            stream.write(part)
    print(target)


def _model_of(model: ModelOptions, product: Product) -> str:
    """The name of the model: that of the option, of a profile with references, or the default."""
    default = DEFAULT_TOWER if model.reference else DEFAULT_MODEL
    if product.profile is not None:
        default = str(product.profile.settings.get("model", default))
    return model.model or default


def _paths(target: Path, to: ExportFormat) -> list[Path]:
    """The files of a graph in the order in which they are written, the one to open last."""
    return [target.with_suffix(WEIGHTS_SUFFIX), target] if to == "openvino" else [target]


def _require_packages(output: ExportOutput) -> None:
    """Check that what exports the graph, and what runs it in the check, is installed.

    Raises:
        MissingExtraError: if it is not.
        UsageError: if PyTorch is too old.
    """
    from moeclip_cli.exports.onnx_file import require_exporter

    require_exporter()
    if output.check and output.to == "onnx":
        require_extra("onnxruntime", "onnx")
    if output.to == "openvino":
        require_extra("openvino", "openvino")


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


def _opened(parts: tuple[bytes, ...]) -> OnnxInspector:
    """The inspector of a graph, from the content of its files."""
    from moeclip_cli.exports.onnx_inspector import OnnxInspector
    from moeclip_cli.exports.onnx_session import OnnxSession
    from moeclip_cli.exports.openvino_session import OpenVinoSession

    if isinstance(parts, OpenVinoFiles):
        return OnnxInspector(OpenVinoSession(parts))
    return OnnxInspector(OnnxSession(parts[0]))


def _check(
    inspector: Inspector, exported: OnnxInspector, pictures: list[ImagePlace], *, quiet: bool
) -> Differences:
    """The largest differences on generated images and on pictures of the user."""
    from moeclip_cli.exports.check import compare, generated_images

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


def _print_cost(inspector: Inspector, exported: OnnxInspector) -> None:
    """Print what the weights cost on the pictures of the self-check."""
    from moeclip_cli.evaluation.self_check import PAIRS, measure

    prompt = exported.model.prompts[0]
    with meter(4 * PAIRS, quiet=False, label="Measuring") as advance:
        before, after = (measure(each, advance, prompt) for each in (inspector, exported))
    pairs = zip(before.scores, after.scores, strict=True)
    largest = max(abs(one - other) for one, other in pairs)
    aurocs = (each.metrics["deployed"]["image_auroc"] for each in (before, after))
    one, other = (f"{value or 0:.2f}%" for value in aurocs)
    console.note(
        f"On {len(before.scores)} pictures of the self-check: image AUROC {one} before, {other} "
        f"with these weights; largest difference of a score {largest:.4f}."
    )
