"""`moeclip models`: list, show, download and convert checkpoints."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moeclip_cli.checkpoints.builtin import BUILTIN_TOWERS
from moeclip_cli.cli import console, options
from moeclip_cli.cli.groups import field_help, grouped
from moeclip_cli.cli.parameters import Command
from moeclip_cli.cli.tables import print_rows
from moeclip_cli.errors import UsageError
from moeclip_cli.model.config import PAPER_BACKBONE, Domain, NetworkConfig

if TYPE_CHECKING:
    from moeclip_cli.checkpoints.checkpoint import Checkpoint

models_app = typer.Typer(
    help="List, show, download and convert checkpoints.",
    epilog="Example: moeclip models show moeclip-mini",
    no_args_is_help=True,
    # Rich's markup would read "[/file]" as a closing tag.
    rich_markup_mode="markdown",
)

# The record of an earlier training, which contains the one before it, and so on.
_EARLIER = "before"


Pretrained = Annotated[
    str | None,
    typer.Option(
        help="open_clip tag of the weights of the backbone. Default: openai, if available."
    ),
]


def _network(name: str, **more: Any) -> Any:
    """The option for a field of `NetworkConfig`."""
    return typer.Option(help=field_help(NetworkConfig)[name], **more)


@models_app.command("list", cls=Command)
def list_(debug: options.Debug = False) -> None:
    """List the models on this machine: built in, or downloaded from the Hugging Face hub.

    Example: moeclip models list
    """
    from moeclip_cli.checkpoints.listing import list_models

    rows = [
        (model.name, model.kind, _size(model.size_bytes), str(model.path))
        for model in list_models()
    ]
    print_rows(("NAME", "KIND", "SIZE", "FILE"), rows)


@models_app.command(cls=Command)
def show(
    model: Annotated[
        str,
        typer.Argument(
            help="Built-in model, checkpoint file, or hf://owner/repo[/file][@revision]."
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    debug: options.Debug = False,
) -> None:
    """Show the configuration, sizes, digest, training and threshold of a checkpoint.

    Exit codes: 0 done, 4 checkpoint not loaded.

    Example: moeclip models show moeclip-mini --json
    """
    from moeclip_cli.checkpoints.checkpoint import read_checkpoint
    from moeclip_cli.checkpoints.loading import find_model

    if model in BUILTIN_TOWERS:
        description = _describe_tower(model)
        if as_json:
            print(json.dumps(description, indent=2))
        else:
            print_rows(("FIELD", "VALUE"), _flat_rows(description))
        return
    path, _ = find_model(model)
    checkpoint = read_checkpoint(path)
    if checkpoint.format == "authors":
        console.note(
            "A .pth file of the authors contains no configuration: settings that its tensors do "
            "not show are assumed to be the paper's (moeclip models convert can set others)."
        )
    if as_json:
        print(json.dumps(_describe(checkpoint), indent=2))
    else:
        print_rows(("FIELD", "VALUE"), _flat_rows(_describe(checkpoint)))


@models_app.command(cls=Command)
def pull(
    model: Annotated[
        str,
        typer.Argument(help="hf://owner/repo[/file][@revision], or a CLIP model of open_clip."),
    ],
    pretrained: Pretrained = None,
    debug: options.Debug = False,
) -> None:
    """Download a checkpoint or a CLIP backbone into the hub's cache and print its path.

    Later runs use the cached file without a network.

    Exit codes: 0 done, 2 usage error, 4 not found or not downloaded.

    Example: moeclip models pull ViT-L-14-336 --pretrained openai
    """
    from moeclip_cli.checkpoints import builtin, hub
    from moeclip_cli.checkpoints.hub_reference import HUB_PREFIX, parse_reference

    files = builtin.BUILTIN_TOWERS | {
        name: entry.checkpoint for name, entry in builtin.BUILTIN.items()
    }
    if model in files or model.startswith(HUB_PREFIX):
        if pretrained is not None:
            raise UsageError(f"--pretrained is only for CLIP backbones such as {PAPER_BACKBONE}.")
        if model in files:
            console.note(f"{model} is part of moeclip; nothing to download.")
            print(builtin.builtin_file(files[model]))
        else:
            print(hub.fetch(parse_reference(model), refresh=True))
        return

    from moeclip_cli.checkpoints.backbones import default_tag, fetch_pretrained
    from moeclip_cli.model.backbones.clip import named_architecture

    named_architecture(model)  # raises for backbones that no adapter fits
    print(fetch_pretrained(model, pretrained or default_tag(model), refresh=True))


@dataclass(frozen=True)
class ConversionOptions:
    """Settings that a `.pth` file of the authors does not contain.

    Attributes:
        levels: transformer blocks whose outputs are the levels, such as 6,12,18,24.
        domain: domain of the images.
    """

    top_k: Annotated[int, _network("top_k")] = NetworkConfig.top_k
    alpha: Annotated[float | None, _network("alpha", show_default="twice the rank")] = None
    levels: Annotated[
        tuple[int, ...] | None,
        typer.Option("--levels", "--layers", show_default="quarter depths"),
    ] = None
    moe_layers: Annotated[
        tuple[int, ...] | None, _network("moe_layers", show_default="the levels")
    ] = NetworkConfig.moe_layers
    mix: Annotated[float, _network("mix")] = NetworkConfig.mix
    aggregation: Annotated[bool, _network("aggregation")] = NetworkConfig.aggregation
    quick_gelu: Annotated[bool, _network("quick_gelu")] = NetworkConfig.quick_gelu
    image_size: Annotated[int, _network("image_size")] = NetworkConfig.image_size
    domain: Domain = "industrial"


@dataclass(frozen=True)
class BackboneOptions:
    """The CLIP model that a `.pth` file was trained on.

    Attributes:
        backbone: CLIP model of open_clip that the file was trained on.
        backbone_weights: local file of the CLIP model. The result works with this file only.
    """

    backbone: Annotated[str | None, typer.Option(show_default=PAPER_BACKBONE)] = None
    pretrained: Pretrained = None
    backbone_weights: Path | None = None


@models_app.command(cls=Command)
@grouped
def convert(
    source: Annotated[Path, typer.Argument(metavar="IN.pth", help="File of the authors' code.")],
    target: Annotated[Path, typer.Argument(metavar="OUT.safetensors", help="File to write.")],
    settings: ConversionOptions,
    backbone: BackboneOptions,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    debug: options.Debug = False,
) -> None:
    """Convert a .pth file of the authors' code to a .safetensors file with its configuration.

    Settings that the .pth file does not contain are the paper's by default.

    Exit codes: 0 done, 2 usage error, 4 file not loaded or not fitting the options.

    Example: moeclip models convert epoch_10.pth visa.safetensors --domain industrial
    """
    _check_target(source, target, force=force)

    from moeclip_cli.checkpoints.authors_file import AuthorsOptions
    from moeclip_cli.checkpoints.conversion import BackboneChoice
    from moeclip_cli.checkpoints.conversion import convert as convert_file

    written = convert_file(
        source,
        target,
        AuthorsOptions(
            layers=settings.levels,
            moe_layers=settings.moe_layers,
            top_k=settings.top_k,
            alpha=settings.alpha,
            mix=settings.mix,
            aggregation=settings.aggregation,
            quick_gelu=settings.quick_gelu,
            image_size=settings.image_size,
            domain=settings.domain,
        ),
        BackboneChoice(backbone.backbone, backbone.pretrained, backbone.backbone_weights),
    )
    network = written.config.network
    console.note(
        f"Written for the backbone {written.config.backbone}, with adapters after the blocks "
        f"{', '.join(map(str, network.adapter_blocks))}, levels after "
        f"{', '.join(map(str, network.layers))}, top-k {network.top_k}, alpha {network.alpha:g} "
        f"and mixing weight {network.mix:g}."
    )
    print(target)


def _check_target(source: Path, target: Path, *, force: bool) -> None:
    if target.exists() and not force:
        raise UsageError(f"{target} exists; choose another name or use --force.")
    if target.absolute() == source.absolute():
        raise UsageError("IN and OUT are the same file; choose another name for OUT.")
    if not target.absolute().parent.is_dir():
        raise UsageError(f"The folder {target.absolute().parent} was not found; create it first.")


def _describe_tower(name: str) -> dict[str, Any]:
    """Everything about a built-in tower except its weights, in JSON types."""
    from moeclip_cli.checkpoints.backbones import read_backbone
    from moeclip_cli.checkpoints.builtin import builtin_file
    from moeclip_cli.checkpoints.formats import file_digest
    from moeclip_cli.model.backbones.table import infer_architecture

    path = builtin_file(BUILTIN_TOWERS[name])
    state = read_backbone(path)
    shapes = infer_architecture(state)
    family = shapes.family
    return {
        "file": str(path),
        "size_bytes": path.stat().st_size,
        "sha256": file_digest(path),
        "use": "scoring with --reference, frozen and without adapters",
        "family": family.name,
        "licence": family.licence,
        "origin": family.origin,
        "parameters": sum(tensor.numel() for tensor in state.values()),
        "vision_width": shapes.vision_width,
        "blocks": shapes.blocks,
        "patch_size": shapes.patch_size,
        "prefix_tokens": shapes.prefix_tokens,
        "mean": family.preprocessing.mean,
        "std": family.preprocessing.std,
    }


def _describe(checkpoint: Checkpoint) -> dict[str, Any]:
    """Description of a checkpoint in JSON types, without its tensors."""
    config = checkpoint.config.to_dict()
    config["network"]["moe_layers"] = checkpoint.config.network.adapter_blocks
    return {
        "file": str(checkpoint.path),
        "file_format": checkpoint.format,
        "size_bytes": checkpoint.size_bytes,
        "sha256": checkpoint.digest,
        "parameters": checkpoint.parameters,
        "vision_width": checkpoint.vision_width,
        "text_width": checkpoint.text_width,
        "joint_dim": checkpoint.joint_dim,
        **config,
    }


def _flat_rows(content: dict[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    """Rows of a nested description; names are joined by dots."""
    for name, value in content.items():
        if name == _EARLIER:
            yield prefix + name, "in --json"
        elif isinstance(value, dict) and value:
            yield from _flat_rows(value, f"{prefix}{name}.")
        elif name == "size_bytes":
            yield "size", _size(value)
        elif isinstance(value, list | tuple):
            yield prefix + name, ", ".join(map(str, value))
        elif isinstance(value, bool):
            yield prefix + name, "yes" if value else "no"
        else:
            yield prefix + name, str(value) if value not in (None, {}) else "none"


def _size(size_bytes: int) -> str:
    megabytes = size_bytes / 1e6
    return f"{megabytes:.1f} MB" if megabytes >= 0.1 else f"{size_bytes / 1e3:.1f} kB"
