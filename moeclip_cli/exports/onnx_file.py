"""Writing a loaded model as an ONNX graph, with PyTorch's exporter."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from moeclip_cli.arguments import require_prompt
from moeclip_cli.errors import ModelError, UsageError
from moeclip_cli.exports.description import Description
from moeclip_cli.exports.graph import OUTPUTS, ResizingGraph, ScoreGraph
from moeclip_cli.extras import require_extra
from moeclip_cli.inspection.forward import text_encoder
from moeclip_cli.inspection.inspector import Inspector
from moeclip_cli.model.moeclip import MoECLIP

# An example whose sizes are all different, so that none is taken for another.
_BATCH, _HEIGHT, _WIDTH = 2, 83, 97


def export_onnx(inspector: Inspector, prompts: Sequence[str], *, resizes: bool) -> bytes:
    """A model as an ONNX file.

    Its outputs are `exports.graph.OUTPUTS`. Its inputs are those that `Description.inputs` names,
    and with several prompts `prompt`, (B,) int64, the number of the prompt of each image. The batch
    size B can be any; so can the height and width of 8-bit images.

    Args:
        inspector: the loaded model, in float32 on the CPU and without references.
        prompts: names of objects; a model that reads no prompts needs a single one.
        resizes: take 8-bit images of any size and resize and normalise them in the graph.

    Raises:
        MissingExtraError: if a package that the exporter needs is not installed.
        UsageError: if there is no prompt, one is empty or there twice, or the model compares images
            with references.
        ModelError: if the graph is larger than 2 GB, which a file of this format cannot be.
    """
    for package in ("onnx", "onnxscript"):
        require_extra(package, "onnx")
    description = describe(inspector, prompts, resizes=resizes)
    graph, arguments, shapes = _traced(inspector, description)
    # Both write to the terminal about their own progress.
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        names = [*description.inputs, *(["prompt"] if len(description.prompts) > 1 else [])]
        program = torch.onnx.export(
            graph,
            arguments,
            dynamo=True,
            dynamic_shapes=shapes,
            input_names=names,
            output_names=list(OUTPUTS),
            verbose=False,
        )
    if program is None:
        raise TypeError("the exporter gave no program")
    return _serialised(program.model_proto, description)


def describe(inspector: Inspector, prompts: Sequence[str], *, resizes: bool) -> Description:
    """The description of a model with its prompts.

    Raises:
        UsageError: if there is no prompt, one is empty or there twice, or the model compares images
            with references.
    """
    if inspector.references is not None:
        raise UsageError("A graph does not compare with references; omit `references`.")
    if not prompts or len(set(prompts)) < len(prompts):
        raise UsageError("Give each `prompt` once, and at least one.")
    for prompt in prompts:
        require_prompt(prompt)
    model = inspector.model
    reads = model.config.prompt is None and model.network.backbone.text is not None
    preprocessing = model.network.preprocessing
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
        precision=inspector.precision,
    )


def _traced(
    inspector: Inspector, description: Description
) -> tuple[nn.Module, tuple[Any, ...], tuple[Any, ...]]:
    """The graph as a module, arguments to trace it with, and their dimensions that can vary."""
    network = inspector.model.network
    if not isinstance(network, MoECLIP):
        raise TypeError("a tower without adapters scores with references only")
    encode = text_encoder(inspector.model)
    with torch.no_grad():
        features = [encode(prompt) for prompt in description.prompts]
    scored = ScoreGraph(network, inspector.model.config, description.domain, torch.stack(features))
    graph: nn.Module = scored
    batch = torch.export.Dim("batch")
    images: Any
    shapes: Any
    if description.resizes:
        graph = ResizingGraph(scored, description.image_sizes)
        images = torch.zeros(_BATCH, _HEIGHT, _WIDTH, 3, dtype=torch.uint8)
        shapes = {0: batch, 1: torch.export.Dim("height"), 2: torch.export.Dim("width")}
    else:
        images = [torch.zeros(_BATCH, 3, side, side) for side in description.image_sizes]
        shapes = [{0: batch} for _ in images]
    if len(description.prompts) == 1:
        return graph.eval(), (images,), (shapes,)
    prompt: Tensor = torch.zeros(_BATCH, dtype=torch.int64)
    return graph.eval(), (images, prompt), (shapes, {0: batch})


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
