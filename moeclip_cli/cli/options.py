"""Options that several commands share, so that they are spelt and explained the same everywhere."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from moeclip_cli.cli.settings import apply_file
from moeclip_cli.errors import UsageError

_DEBUG = "moeclip.debug"

_MODEL = "Model"
_IMAGES = "Images"
_OUTPUT = "Output"
_RUNNING = "Running"


class Domain(str, Enum):
    """The two domains of the paper."""

    industrial = "industrial"
    medical = "medical"


class Precision(str, Enum):
    """Floating-point precision of the vision side."""

    auto = "auto"
    fp32 = "fp32"
    bf16 = "bf16"
    fp16 = "fp16"


class Picture(str, Enum):
    """File format of pictures."""

    png = "png"
    jpeg = "jpeg"


def _remember_debug(ctx: typer.Context, wanted: bool) -> bool:
    ctx.meta[_DEBUG] = wanted
    return wanted


def no_such_path(path: Path, option: str) -> UsageError:
    """The error for an option that names a path that does not exist."""
    return UsageError(f"There is no {path}; check what {option} names.")


def wants_traceback(ctx: Any) -> bool:
    """Whether `--debug` was given to the command that runs under `ctx`."""
    return bool(ctx.meta.get(_DEBUG))


Images = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH",
        help="An image, a folder, a glob, or - for a list of paths on standard input.",
        show_default=False,
    ),
]
Prompt = Annotated[
    str,
    typer.Option(
        "--prompt", "-p", help='What is on the images, e.g. "metal bracket".',
        rich_help_panel=_MODEL,
    ),
]  # fmt: skip
Prompts = Annotated[
    Path | None,
    typer.Option(
        help="TOML or JSON file that maps folders or globs to prompts, where products are mixed.",
        rich_help_panel=_MODEL,
    ),
]
Model = Annotated[
    str,
    typer.Option(
        "--model", "-m",
        help="A built-in model, a checkpoint file, or hf://owner/repo[/file][@revision].",
        rich_help_panel=_MODEL,
    ),
]  # fmt: skip
BackboneWeights = Annotated[
    Path | None,
    typer.Option(
        help="CLIP weights to use: OpenAI .pt, open_clip .pt or .safetensors.",
        rich_help_panel=_MODEL,
    ),
]
DomainOption = Annotated[
    Domain | None,
    typer.Option("--domain", help="Overrides the model's.", rich_help_panel=_MODEL),
]
ImageSize = Annotated[
    int | None,
    typer.Option(
        help="The one side of the network input in pixels, if not the model's.",
        rich_help_panel=_MODEL,
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        "--threshold", "-t", help="Score from which an image is anomalous, if not the profile's.",
        rich_help_panel=_MODEL,
    ),
]  # fmt: skip
ProfileFile = Annotated[
    Path | None,
    typer.Option(
        "--profile", help="Threshold and prompt of `moeclip calibrate` for this product.",
        rich_help_panel=_MODEL,
    ),
]  # fmt: skip
Recursive = Annotated[
    bool,
    typer.Option(
        "--recursive/--no-recursive", help="Look into subfolders.", rich_help_panel=_IMAGES
    ),
]
Limit = Annotated[
    int | None,
    typer.Option(min=1, help="Only the first N images.", rich_help_panel=_IMAGES),
]
MaxPixels = Annotated[
    int | None,
    typer.Option(min=1, help="Refuse images with more pixels than this.", rich_help_panel=_IMAGES),
]
PictureFormat = Annotated[
    Picture, typer.Option(help="File format of pictures.", rich_help_panel=_OUTPUT)
]
Out = Annotated[Path, typer.Option("--out", "-o", help="Output folder.", rich_help_panel=_OUTPUT)]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace earlier results there.", rich_help_panel=_OUTPUT),
]
Device = Annotated[
    str,
    typer.Option(
        "--device", "-d", help="auto, cpu, cuda, cuda:N or mps.", rich_help_panel=_RUNNING
    ),
]
PrecisionOption = Annotated[
    Precision,
    typer.Option("--precision", help="auto is fp32 on every device.", rich_help_panel=_RUNNING),
]
BatchSize = Annotated[
    int | None,
    typer.Option(
        "--batch-size", "-b", min=1,
        help="Images at once; default by device, halved by itself when memory runs out.",
        rich_help_panel=_RUNNING,
    ),
]  # fmt: skip
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers", "-w", min=0, help="Threads that decode and write; default by CPUs.",
        rich_help_panel=_RUNNING,
    ),
]  # fmt: skip
Processes = Annotated[
    int,
    typer.Option(
        min=1, help="Processes on this machine, one for each GPU.", rich_help_panel=_RUNNING
    ),
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Say nothing but errors.", rich_help_panel=_RUNNING),
]
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose", "-v", help="Also name files that are no images, and notes on images.",
        rich_help_panel=_RUNNING,
    ),
]  # fmt: skip
Config = Annotated[
    Path | None,
    typer.Option(
        callback=apply_file, is_eager=True, rich_help_panel=_RUNNING,
        help="Settings file; moeclip.toml in the current folder is read by itself.",
    ),
]  # fmt: skip
Debug = Annotated[
    bool,
    typer.Option(
        "--debug", callback=_remember_debug, is_eager=True, rich_help_panel=_RUNNING,
        help="Show the traceback of an error.",
    ),
]  # fmt: skip
