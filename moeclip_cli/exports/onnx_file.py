"""Writing a loaded model as an ONNX graph, with PyTorch's exporter."""

from __future__ import annotations

import contextlib
import io
import logging
import math
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from packaging.version import Version
from torch import nn

from moeclip_cli.arguments import require_prompt
from moeclip_cli.choices import ExportWeights
from moeclip_cli.errors import ModelError, UsageError
from moeclip_cli.exports.description import COMMON_SETTINGS, Description
from moeclip_cli.exports.graph import OUTPUTS, ZERO_SHOT, ResizingGraph, ScoreGraph
from moeclip_cli.exports.reference_graph import ReferenceGraph
from moeclip_cli.exports.small_weights import shrink_weights
from moeclip_cli.extras import require_extra
from moeclip_cli.inspection.forward import text_encoder
from moeclip_cli.inspection.inspector import Inspector
from moeclip_cli.model.frozen_tower import FrozenTower
from moeclip_cli.model.input_size import MAX_ASPECT, MIN_GRID
from moeclip_cli.model.moeclip import MoECLIP

# Earlier versions cannot export every graph.
_LOWEST_TORCH = Version("2.14")
# An example whose sizes are all different, so that none is taken for another.
_BATCH, _HEIGHT, _WIDTH = 2, 83, 97


def require_exporter() -> None:
    """Check that graphs can be exported.

    Raises:
        MissingExtraError: if a package that the exporter needs is not installed.
        UsageError: if PyTorch is too old.
    """
    for package in ("onnx", "onnxscript"):
        require_extra(package, "onnx")
    if Version(torch.__version__) < _LOWEST_TORCH:
        raise UsageError(
            f"Exporting needs torch {_LOWEST_TORCH} or later, not {torch.__version__}; run "
            f"pip install 'torch>={_LOWEST_TORCH}'."
        )


def export_onnx(
    inspector: Inspector,
    prompts: Sequence[str],
    *,
    resizes: bool,
    weights: ExportWeights = "fp32",
) -> bytes:
    """A model as an ONNX file.

    Its outputs are `exports.graph.OUTPUTS`. Its inputs are those that `Description.inputs` names,
    with several prompts `prompt`, (B,) int64, the number of the prompt of each image, and with
    references `left_out`, (B,) int64, the number of the reference that each image is not compared
    with, -1 for none. The batch size B can be any; so can the height and width of 8-bit images.

    Args:
        inspector: the loaded model, in float32 on the CPU, with references or without.
        prompts: names of objects; a model that reads no prompts needs a single one.
        resizes: take 8-bit images of any size and resize and normalise them in the graph.
        weights: how they are stored; the graph computes in float32.

    Raises:
        MissingExtraError: if a package that the exporter needs is not installed.
        UsageError: if PyTorch is too old, there is no prompt, one is empty or there twice, or the
            images have a region of interest, or an aspect ratio that a graph which resizes does not
            keep.
        ModelError: if the graph is larger than 2 GB, which a file of this format cannot be.
    """
    require_exporter()
    description = describe(inspector, prompts, resizes=resizes, weights=weights)
    graph, arguments, shapes = _traced(inspector, description)
    with _silence(), _constant_positions(inspector, description):
        program = torch.onnx.export(
            graph,
            kwargs=arguments,
            dynamo=True,
            dynamic_shapes=shapes,
            input_names=[*description.inputs, *list(arguments)[1:]],
            output_names=[*OUTPUTS, *([ZERO_SHOT] if _has_both(inspector) else [])],
            verbose=False,
        )
    if program is None:
        raise TypeError("the exporter gave no program")
    model = program.model_proto
    shrink_weights(model, weights)
    return _serialised(model, description)


@contextlib.contextmanager
def _constant_positions(inspector: Inspector, description: Description) -> Iterator[None]:
    """Let the graph contain resized position embeddings, unless the aspect ratio can vary."""
    backbone = inspector.model.network.backbone
    sides = () if description.keeps_aspect else description.image_sizes
    grids = [side // backbone.architecture.patch_size for side in sides]
    with backbone.vision.keeping_positions((grid, grid) for grid in grids):
        yield


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep the exporter from telling the terminal about its own progress."""
    logger = logging.getLogger("onnxscript")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


def describe(
    inspector: Inspector,
    prompts: Sequence[str],
    *,
    resizes: bool,
    weights: ExportWeights = "fp32",
) -> Description:
    """The description of a model with its prompts.

    Raises:
        UsageError: see `export_onnx`.
    """
    model = inspector.model
    keeps_aspect = isinstance(model.network, FrozenTower)
    if inspector.layout is not None and inspector.layout.roi is not None:
        raise UsageError("A graph does not know regions; calibrate without `region` and `ignore`.")
    if keeps_aspect and resizes:
        raise UsageError(
            f"{model.name} keeps the aspect ratio of images, which a graph that resizes them "
            "itself does not; omit `with_preprocessing`."
        )
    if not prompts or len(set(prompts)) < len(prompts):
        raise UsageError("Give each `prompt` once, and at least one.")
    for prompt in prompts:
        require_prompt(prompt)
    reads = model.config.prompt is None and model.network.backbone.text is not None
    preprocessing, good = model.network.preprocessing, inspector.good_scores
    references = inspector.references
    return Description(
        model=model.name,
        model_digest=model.digest,
        backbone=model.config.backbone.name,
        backbone_digest=model.backbone_digest,
        prompts=tuple(prompts) if reads else tuple(prompts[:1]),
        reads_prompts=reads,
        threshold=inspector.threshold.value,
        threshold_source=inspector.threshold.source,
        image_sizes=inspector.sizes,
        domain=inspector.domain,
        image_weight=model.config.image_weight,
        resizes=resizes,
        mean=preprocessing.mean,
        std=preprocessing.std,
        interpolation=preprocessing.interpolation,
        patch_size=model.network.backbone.architecture.patch_size,
        keeps_aspect=keeps_aspect,
        references=() if references is None else references.digests,
        good_scores=good.scores,
        rule=good.rule,
        origin=good.origin,
        further_settings=_further_settings(inspector),
        unsure_threshold=inspector.threshold.unsure,
        unsure_source=inspector.threshold.unsure_source,
        precision=f"{inspector.precision}{'' if weights == 'fp32' else f' with {weights} weights'}",
    )


def _traced(
    inspector: Inspector, description: Description
) -> tuple[nn.Module, dict[str, Any], dict[str, Any]]:
    """The graph as a module, arguments to trace it with, and their dimensions that can vary."""
    graph = _scored(inspector, description)
    arguments: dict[str, Any] = {}
    shapes: dict[str, Any] = {}
    batch = torch.export.Dim("batch")
    if description.resizes:
        preprocessing = inspector.model.network.preprocessing
        graph = ResizingGraph(graph, preprocessing, description.image_sizes)
        arguments["images"] = torch.zeros(_BATCH, _HEIGHT, _WIDTH, 3, dtype=torch.uint8)
        shapes["images"] = {0: batch, 1: torch.export.Dim("height"), 2: torch.export.Dim("width")}
    else:
        arguments["images"] = [torch.zeros(_BATCH, 3, *_size(description, side))
                               for side in description.image_sizes]  # fmt: skip
        free = _free_sides(description) if description.keeps_aspect else {}
        shapes["images"] = [{0: batch, **free} for _ in description.image_sizes]
    if description.references:
        arguments["left_out"] = torch.full((_BATCH,), -1)
        shapes["left_out"] = {0: batch}
    if len(description.prompts) > 1:
        arguments["prompt"] = torch.zeros(_BATCH, dtype=torch.int64)
        shapes["prompt"] = {0: batch}
    return graph.eval(), arguments, shapes


def _scored(inspector: Inspector, description: Description) -> nn.Module:
    """The module from network inputs to scores."""
    network, references = inspector.model.network, inspector.references
    zero_shot = None
    if isinstance(network, MoECLIP):
        encode = text_encoder(inspector.model)
        with torch.no_grad():
            text = torch.stack([encode(prompt) for prompt in description.prompts])
        zero_shot = ScoreGraph(network, inspector.model.config, description.domain, text)
    if references is not None:
        return ReferenceGraph(network, references.bank, description.domain, zero_shot)
    if zero_shot is None:
        raise TypeError("a tower without adapters scores with references only")
    return zero_shot


def _has_both(inspector: Inspector) -> bool:
    """True if the graph gives a zero-shot score beside the distance to references."""
    return inspector.references is not None and isinstance(inspector.model.network, MoECLIP)


def _further_settings(inspector: Inspector) -> dict[str, Any]:
    """Settings beyond those of every model."""
    return {
        name: value for name, value in inspector.settings.items() if name not in COMMON_SETTINGS
    }


def _size(description: Description, side: int) -> tuple[int, int]:
    """An example of height and width of a network input."""
    return description.input_size(_HEIGHT, _WIDTH, side)


def _free_sides(description: Description) -> dict[int, Any]:
    """Height and width of network inputs, which are whole numbers of patches."""
    most = math.ceil(description.image_sizes[0] / description.patch_size * MAX_ASPECT**0.5)
    rows, columns = (torch.export.Dim(name, min=MIN_GRID, max=most) for name in ("rows", "columns"))
    return {2: description.patch_size * rows, 3: description.patch_size * columns}


def _serialised(model: Any, description: Description) -> bytes:
    """The content of the file, without the exporter's notes, which name folders of this machine."""
    import onnx

    _forget_origin(model.graph)
    onnx.helper.set_model_props(model, description.to_metadata())
    model.producer_name, model.producer_version = "moeclip", description.version
    try:
        content: bytes = model.SerializeToString()
    except ValueError as error:
        raise ModelError("The graph is larger than 2 GB, which an ONNX file cannot be.") from error
    return content


def _forget_origin(graph: Any) -> None:
    """Remove the exporter's notes from a graph and from the graphs in it."""
    parts = (*graph.node, *graph.initializer, *graph.value_info, *graph.input, *graph.output)
    for each in (graph, *parts):
        del each.metadata_props[:]
    for node in graph.node:
        node.doc_string = ""
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _forget_origin(attribute.g)
