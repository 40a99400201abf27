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
from moeclip_cli.exit_codes import ExitCode

# The base class of Typer's exceptions for invalid options, which only its subclasses make public.
_INVALID_OPTION: Any = typer.BadParameter.__base__
# The one of them that prints the help.
_NO_ARGUMENTS = "NoArgsIsHelpError"


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
    except typer.Exit:
        raise
    except _INVALID_OPTION as error:
        # A log gets one line instead of the box, which is drawn for a terminal.
        if console.stderr().is_terminal or type(error).__name__ == _NO_ARGUMENTS:
            raise
        console.fail(_in_one_line(error, ctx))
        raise typer.Exit(ExitCode.USAGE) from error
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


def _in_one_line(error: Any, ctx: Any) -> str:
    """What is wrong with a command line, and where to look; `ctx` is that of the group."""
    command = "moeclip"
    if error.ctx is not None:
        command = error.ctx.command_path
    elif ctx is not None and ctx.invoked_subcommand:
        command += f" {ctx.invoked_subcommand}"
    return f"{error.format_message().rstrip('.')}. See '{command} --help'."


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
