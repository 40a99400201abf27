from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from moeclip_cli.cli.parameters import Command, with_options

MESSAGE = (
    "Use `max_pixels`, `table_format`, `format`, `recursive`, `no_recursive`, `paths` or `out`; "
    "see `rank` and `moeclip score`."
)


def run(command):
    app = typer.Typer()
    app.command(cls=Command)(command)
    app.command("other", cls=Command)(lambda: None)
    result = CliRunner().invoke(app, ["command"])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_parameters_become_options_and_arguments_of_the_running_command():
    def command(
        paths: str = typer.Argument("x", metavar="PATH"),
        max_pixels: int = 1,
        recursive: bool = True,
        table_format: str = typer.Option("csv", "--format", "-f"),
        out: Path = Path("out"),
    ) -> None:
        print(with_options(MESSAGE))

    assert run(command) == (
        "Use --max-pixels, --format, --format, --recursive, --no-recursive, PATH or --out; "
        "see rank and `moeclip score`.\n"
    )


def test_parameters_that_the_command_does_not_have_lose_their_backticks():
    def command() -> None:
        print(with_options("Choose another `out`."))

    assert run(command) == "Choose another out.\n"


def test_an_error_of_the_library_names_the_option(moeclip, standin, parts):
    Path("file").touch()
    result = moeclip("score", "parts", *standin.options, "--out", "file/results")
    assert result.exit_code == 2
    assert "choose another --out." in result.stderr
    assert "`" not in result.stderr


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("score", "a.png", "--out", ""), "--out is empty"),
        (("score", "a.png", "--out="), "--out is empty"),
        (("verify", ""), "OUT is empty"),
        (("verify", "."), "run.json is missing"),
    ],
)
def test_an_empty_path_is_not_the_current_folder(moeclip, args, message):
    """A script whose variable is not set would otherwise write there."""
    result = moeclip(*args)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"Error: {message}")
