"""Options that many commands share: single ones, and groups for the machine and the output."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from moeclip_cli.choices import DEFAULT_PRECISION, PictureChoice, PrecisionChoice
from moeclip_cli.cli.fractions import fraction
from moeclip_cli.cli.settings import apply_file
from moeclip_cli.errors import UsageError

if TYPE_CHECKING:
    from moeclip_cli.runs.stream import Pace

# Panels of the help.
DATA, IMAGES, MODEL, OUTPUT, RUNNING = "Data", "Images", "Model", "Output", "Running"

DEFAULT_OUT = Path("moeclip-out")
_DEBUG = "moeclip.debug"


def wants_traceback(ctx: Any) -> bool:
    """True if `--debug` was given to the command that runs under `ctx`."""
    return bool(ctx.meta.get(_DEBUG))


def _remember_debug(ctx: typer.Context, wanted: bool) -> bool:
    ctx.meta[_DEBUG] = wanted
    return wanted


def _object_name(argument: str) -> str:
    r"""Decode an argument as UTF-8 in any locale; a byte that is not UTF-8 becomes e.g. `\xfc`.

    Raises:
        UsageError: if it is the next option, because the name was forgotten.
    """
    if argument.startswith("-"):
        raise UsageError(f'`prompt` needs a name, such as "metal bracket", before {argument}.')
    return argument.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _option(panel: str, help_text: str, *names: str, **more: Any) -> Any:
    return typer.Option(*names, help=help_text, rich_help_panel=panel, **more)


_PROMPT_HELP = 'Name of the object in the images, e.g. "metal bracket".'
Prompt = Annotated[str, _option(MODEL, _PROMPT_HELP, "--prompt", "-p", callback=_object_name)]
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
