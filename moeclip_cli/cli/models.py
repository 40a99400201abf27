"""`moeclip models`: list, show, pull and convert checkpoints."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moeclip_cli.cli import console, options
from moeclip_cli.cli.tables import print_rows
from moeclip_cli.errors import UsageError

if TYPE_CHECKING:
    from moeclip_cli.checkpoints.checkpoint import Checkpoint

models_app = typer.Typer(
    help="List, show, pull and convert checkpoints.",
    epilog="Example: moeclip models show moeclip-mini",
    no_args_is_help=True,
    # rich's markup would take "[/file]" for a closing tag.
    rich_markup_mode="markdown",
)

# What a model was trained with before the last time is as long again each time.
_EARLIER = "before"

Pretrained = Annotated[
    str | None,
    typer.Option(help="open_clip's tag of the backbone's weights; openai if there are such."),
]


@models_app.command("list")
def list_(debug: options.Debug = False) -> None:
    """List the models on this machine: built in, or fetched from the hub before.

    Example: moeclip models list
    """
    from moeclip_cli.checkpoints.listing import list_models

    rows = [
        (model.name, model.kind, _size(model.size_bytes), str(model.path))
        for model in list_models()
    ]
    print_rows(("NAME", "KIND", "SIZE", "FILE"), rows)


@models_app.command()
def show(
    model: Annotated[
        str,
        typer.Argument(help="A built-in model, a checkpoint file, or hf://owner/repo[/file]."),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    debug: options.Debug = False,
) -> None:
    """Show a checkpoint's configuration, sizes, digest, training and threshold.

    Example: moeclip models show moeclip-mini --json
    """
    from moeclip_cli.checkpoints.checkpoint import read_checkpoint
    from moeclip_cli.checkpoints.loading import find_model

    path, _ = find_model(model)
    checkpoint = read_checkpoint(path)
    if checkpoint.format == "authors":
        console.note(
            "A .pth of the authors holds no configuration: what its tensors do not show is "
            "assumed to be as in the paper (moeclip models convert lets you say otherwise)."
        )
    if as_json:
        print(json.dumps(_describe(checkpoint), ensure_ascii=False, indent=2))
    else:
        print_rows(("WHAT", "VALUE"), _flat_rows(_describe(checkpoint)))


@models_app.command()
def pull(
    model: Annotated[
        str,
        typer.Argument(help="hf://owner/repo[/file][@revision], or a CLIP that open_clip knows."),
    ],
    pretrained: Pretrained = None,
    debug: options.Debug = False,
) -> None:
    """Fetch a checkpoint or a CLIP backbone into the hub's cache and print where it lies.

    Later runs find it there without a network.

    Example: moeclip models pull ViT-L-14-336 --pretrained openai
    """
    from moeclip_cli.checkpoints import builtin, hub

    if model in builtin.BUILTIN or model.startswith(hub.PREFIX):
        if pretrained is not None:
            raise UsageError("--pretrained is for CLIP backbones such as ViT-L-14-336 only.")
        if model in builtin.BUILTIN:
            console.note(f"{model} is part of moeclip; there is nothing to fetch.")
            print(builtin.builtin_file(builtin.BUILTIN[model].checkpoint))
        else:
            print(hub.fetch(hub.parse_reference(model), refresh=True))
        return

    from moeclip_cli.checkpoints.backbones import default_tag, fetch_pretrained
    from moeclip_cli.model.architecture import named_architecture

    named_architecture(model)  # refuses what no adapter could be used with
    print(fetch_pretrained(model, pretrained or default_tag(model), refresh=True))


@models_app.command()
def convert(
    source: Annotated[Path, typer.Argument(metavar="IN.pth", help="File of the authors' code.")],
    target: Annotated[Path, typer.Argument(metavar="OUT.safetensors", help="File to write.")],
    top_k: Annotated[int, typer.Option(help="Experts that the router picks for a token.")] = 2,
    alpha: Annotated[
        float | None, typer.Option(help="LoRA scale; twice the rank if not given.")
    ] = None,
    levels: Annotated[
        str | None,
        typer.Option(help="Blocks with an adapter, such as 6,12,18,24; quarter depths if not."),
    ] = None,
    mix: Annotated[float, typer.Option(help="Weight of the adapted token.")] = 0.1,
    aggregation: Annotated[
        bool,
        typer.Option(
            "--aggregation/--no-aggregation", help="Whether each level yields three maps."
        ),
    ] = True,
    quick_gelu: Annotated[
        bool, typer.Option("--quick-gelu", help="The towers run with QuickGELU, not GELU.")
    ] = False,
    backbone: Annotated[
        str | None,
        typer.Option(help="The CLIP that it was trained on; ViT-L-14-336 if not given."),
    ] = None,
    pretrained: Pretrained = None,
    backbone_weights: Annotated[
        Path | None,
        typer.Option(help="Local file of that CLIP, which the result is then bound to."),
    ] = None,
    image_size: Annotated[int, typer.Option(help="Side of the network input in pixels.")] = 518,
    domain: Annotated[
        options.Domain, typer.Option(help="Kind of images that it is for.")
    ] = options.Domain.industrial,
    force: Annotated[bool, typer.Option("--force", help="Replace OUT if it exists.")] = False,
    debug: options.Debug = False,
) -> None:
    """Convert a .pth of the authors' code to one .safetensors file with its configuration.

    What the .pth cannot tell is as in the paper unless an option says otherwise.

    Example: moeclip models convert epoch_10.pth visa.safetensors --domain industrial
    """
    blocks = _parse_levels(levels)
    if target.exists() and not force:
        raise UsageError(f"{target} exists; choose another name or give --force.")
    if target.absolute() == source.absolute():
        raise UsageError("IN and OUT are the same file; choose another name for OUT.")
    if not target.absolute().parent.is_dir():
        raise UsageError(f"There is no folder {target.absolute().parent}; make it first.")

    from moeclip_cli.checkpoints.authors_file import AuthorsOptions
    from moeclip_cli.checkpoints.conversion import BackboneChoice
    from moeclip_cli.checkpoints.conversion import convert as convert_file

    written = convert_file(
        source,
        target,
        AuthorsOptions(
            layers=blocks,
            top_k=top_k,
            alpha=alpha,
            mix=mix,
            aggregation=aggregation,
            quick_gelu=quick_gelu,
            image_size=image_size,
            domain=domain.value,
        ),
        BackboneChoice(backbone, pretrained, backbone_weights),
    )
    network = written.config.network
    console.note(
        f"Written for the backbone {written.config.backbone}, with adapters after the blocks "
        f"{', '.join(map(str, network.layers))}, top-k {network.top_k}, alpha {network.alpha:g} "
        f"and mixing weight {network.mix:g}."
    )
    print(target)


def _parse_levels(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(
            f"--levels takes block numbers such as 6,12,18,24, not '{text}'."
        ) from error


def _describe(checkpoint: Checkpoint) -> dict[str, Any]:
    """All about a checkpoint but its numbers, in JSON's types."""
    return {
        "file": str(checkpoint.path),
        "file_format": checkpoint.format,
        "size_bytes": checkpoint.size_bytes,
        "sha256": checkpoint.digest,
        "parameters": checkpoint.parameters,
        "vision_width": checkpoint.vision_width,
        "text_width": checkpoint.text_width,
        "joint_dim": checkpoint.joint_dim,
        **checkpoint.config.to_dict(),
    }


def _flat_rows(content: dict[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    """Rows of a nested description, with dotted names."""
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
