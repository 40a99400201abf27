"""The `moeclip` command: its subcommands, and how errors leave it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from moeclip_cli import __version__
from moeclip_cli.cli import console
from moeclip_cli.cli.benchmark import benchmark
from moeclip_cli.cli.calibrate import calibrate
from moeclip_cli.cli.datasets import datasets_app
from moeclip_cli.cli.doctor import doctor
from moeclip_cli.cli.heatmap import heatmap
from moeclip_cli.cli.models import models_app
from moeclip_cli.cli.options import wants_traceback
from moeclip_cli.cli.score import score
from moeclip_cli.cli.settings import SettingsCommand
from moeclip_cli.cli.train import train
from moeclip_cli.errors import MoeclipError

# What a shell reports for a program that SIGINT or SIGPIPE ended.
INTERRUPTED = 130
BROKEN_PIPE = 141
# What sysexits.h calls an internal software error; 1 means "anomalies found" here.
INTERNAL_ERROR = 70
# What code raises by mistake; the errors of wrong options are none of these.
_BUGS = (
    ArithmeticError,
    AttributeError,
    ImportError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


class MoeclipGroup(TyperGroup):
    """Turns errors into one sentence on standard error and the documented exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the subcommand.

        Raises:
            typer.Exit: with the exit code of an error that was reported.
        """
        try:
            return super().invoke(ctx)
        except MoeclipError as error:
            if wants_traceback(ctx):
                raise
            console.fail(str(error))
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt as error:
            console.note("Interrupted.")
            raise typer.Exit(INTERRUPTED) from error
        except (typer.Exit, typer.Abort):
            raise
        except BrokenPipeError as error:  # the reader of our output has seen enough
            sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - lives until the process ends
            raise typer.Exit(BROKEN_PIPE) from error
        except _BUGS as error:
            if wants_traceback(ctx):
                raise
            console.fail(
                f"Internal error ({type(error).__name__}: {error}); this is a bug, please report "
                "it with what the same command prints with --debug."
            )
            raise typer.Exit(INTERNAL_ERROR) from error


app = typer.Typer(
    cls=MoeclipGroup,
    help="Zero-shot visual inspection: anomaly scores, heatmaps and a report for a folder of "
    "images of a product that the model has never seen.",
    epilog="Example: moeclip score ./parts/ --prompt 'metal bracket' --heatmaps",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
app.command(cls=SettingsCommand)(score)
app.command(cls=SettingsCommand)(heatmap)
app.command(cls=SettingsCommand)(calibrate)
app.command(cls=SettingsCommand)(train)
app.command(cls=SettingsCommand)(benchmark)
app.add_typer(models_app, name="models")
app.add_typer(datasets_app, name="datasets")
app.command(cls=SettingsCommand)(doctor)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"moeclip {__version__}")
        raise typer.Exit()


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Zero-shot visual inspection."""
