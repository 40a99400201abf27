"""The `moeclip` command: its subcommands, error messages and exit codes."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from moeclip_cli._version import __version__
from moeclip_cli.cli import console
from moeclip_cli.cli.benchmark import benchmark
from moeclip_cli.cli.calibrate import calibrate
from moeclip_cli.cli.compare import compare
from moeclip_cli.cli.datasets import datasets_app
from moeclip_cli.cli.doctor import doctor
from moeclip_cli.cli.export import export
from moeclip_cli.cli.failures import failure_of
from moeclip_cli.cli.heatmap import heatmap
from moeclip_cli.cli.heatmap_choice import ScoreCommand
from moeclip_cli.cli.models import models_app
from moeclip_cli.cli.options import wants_traceback
from moeclip_cli.cli.parameters import Command
from moeclip_cli.cli.profile import profile_app
from moeclip_cli.cli.recut import recut
from moeclip_cli.cli.review import review
from moeclip_cli.cli.score import score
from moeclip_cli.cli.serve import serve
from moeclip_cli.cli.settings import SettingsCommand
from moeclip_cli.cli.train import train
from moeclip_cli.cli.verify import verify
from moeclip_cli.cli.watch import watch

# The base class of Typer's exceptions for invalid options, which only its subclasses make public.
_INVALID_OPTION: Any = typer.BadParameter.__base__


class MoeclipGroup(TyperGroup):
    """Prints errors to standard error and exits with the documented code."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Parse the options before the subcommand, which print help and version.

        Raises:
            typer.Exit: with the exit code of the error that was printed.
        """
        with _errors_as_exit_codes():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        """Run the subcommand.

        Raises:
            typer.Exit: with the exit code of the error that was printed.
        """
        with _errors_as_exit_codes(ctx):
            return super().invoke(ctx)


@contextmanager
def _errors_as_exit_codes(ctx: Any = None) -> Iterator[None]:
    """Print the error that ends the block, with its traceback if the command has `--debug`."""
    try:
        yield
    except (typer.Exit, _INVALID_OPTION):
        raise
    except KeyboardInterrupt as error:
        failure = failure_of(error)
        console.note(failure.exit_code.name.capitalize() + ".")
        raise typer.Exit(failure.exit_code) from error
    except Exception as error:
        failure = failure_of(error)
        if failure.message:
            if ctx is not None and wants_traceback(ctx):
                traceback.print_exc()
            console.fail(failure.message)
        raise typer.Exit(failure.exit_code) from error


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
app.command(cls=ScoreCommand)(score)
app.command(cls=ScoreCommand)(watch)
app.command(cls=SettingsCommand)(serve)
app.command(cls=Command)(review)
app.command(cls=Command)(recut)
app.command(cls=Command)(compare)
app.command(cls=SettingsCommand)(heatmap)
app.command(cls=SettingsCommand)(calibrate)
app.add_typer(profile_app, name="profile")
app.command(cls=SettingsCommand)(train)
app.command(cls=SettingsCommand)(benchmark)
app.command(cls=Command)(verify)
app.add_typer(models_app, name="models")
app.command(cls=Command)(export)
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
