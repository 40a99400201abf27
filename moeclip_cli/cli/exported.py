"""Options with an exported graph in place of a checkpoint; nothing here imports PyTorch."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from moeclip_cli.checkpoints.names import is_graph
from moeclip_cli.cli import console, options
from moeclip_cli.cli.image_options import ImageOptions
from moeclip_cli.cli.model_options import ModelOptions
from moeclip_cli.cli.product_options import Product
from moeclip_cli.discovery.prompts_file import DEFAULT_PROMPT
from moeclip_cli.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from moeclip_cli.exports.onnx_inspector import OnnxInspector
    from moeclip_cli.inspection.inspector import Inspector
    from moeclip_cli.tiles.framing import Framing

_CHECKPOINTS_ONLY = ("reference", "backbone_weights", "domain", "image_size")


def check_exported(model: ModelOptions, device: options.DeviceOptions, framing: Framing) -> None:
    """Refuse options that an exported graph does not have.

    Raises:
        UsageError: if the model is such a graph and there are any.
    """
    if model.model is None or not is_graph(model.model):
        return
    for name in _CHECKPOINTS_ONLY:
        if getattr(model, name):
            raise UsageError(
                f"{model.model} is an exported graph, which cannot be changed by `{name}`; omit "
                "it, or use the checkpoint."
            )
    for name in ("region", "ignore", "align"):
        if getattr(framing, name):
            raise UsageError(
                f"{model.model} is an exported graph, which scores whole images or tiles; omit "
                f"`{name}`, or use the checkpoint."
            )
    if device.device not in ("auto", "cpu"):
        raise UsageError(f"An exported graph runs on the CPU, not on {device.device}.")
    if device.precision not in ("auto", "fp32"):
        raise UsageError(f"An exported graph computes in fp32, not in {device.precision}.")


def load_scorer(
    model: ModelOptions,
    device: options.DeviceOptions,
    images: ImageOptions,
    product: Product,
    framing: Framing,
    *,
    quiet: bool,
) -> tuple[Inspector | OnnxInspector, Product]:
    """Load a checkpoint onto the device, or an exported graph.

    Returns:
        The inspector, and the product with the prompt of the graph if that is the only one and the
        user gave none.

    Raises:
        MissingExtraError: if PyTorch, ONNX Runtime or OpenVINO is needed and not installed.
        ModelError, UsageError: see `Inspector.load` and `OnnxInspector.load`.
    """
    if model.model is None or not is_graph(model.model):
        try:
            found = model.load_inspector(
                device, quiet=quiet, images=images, product=product, framing=framing
            )
        except ModuleNotFoundError as error:
            if error.name != "torch":
                raise
            raise MissingExtraError(
                "torch is not installed, so only exported graphs can be scored; give one as "
                "`model`, or install moeclip with its dependencies, in another environment than "
                "moeclip-runtime."
            ) from error
        return found, product
    with console.status("Loading the model", quiet=quiet):
        exported = graph_loader(model.model, images, product, framing)()
    known = exported.model.prompts
    if exported.model.reads_prompts and product.prompt == DEFAULT_PROMPT and len(known) == 1:
        product = replace(product, prompt=known[0])
    rules = product.rules.rules if product.rules is not None else ()
    for prompt in (product.prompt, *(rule.prompt for rule in rules)):
        exported.model.number(prompt)
    return exported, product


def graph_loader(
    path: str, images: ImageOptions, product: Product, framing: Framing
) -> partial[OnnxInspector]:
    """What loads an exported graph, also in another process; see `OnnxInspector.load`."""
    from moeclip_cli.exports.onnx_inspector import OnnxInspector
    from moeclip_cli.images.decode import DEFAULT_DECODE_SECONDS, DEFAULT_MAX_PIXELS

    return partial(
        OnnxInspector.load,
        path,
        threshold=product.threshold,
        unsure=product.unsure,
        profile=product.profile,
        max_pixels=images.max_pixels or DEFAULT_MAX_PIXELS,
        decode_seconds=images.decode_seconds or DEFAULT_DECODE_SECONDS,
        tile=framing.tile,
        smallest=framing.smallest,
        overlap=framing.overlap,
    )
