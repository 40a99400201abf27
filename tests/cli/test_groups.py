from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

import pytest
import typer
from typer.testing import CliRunner

from moeclip_cli.cli.groups import AsOptions, field_help, grouped
from moeclip_cli.cli.parameters import Command
from moeclip_cli.errors import UsageError


@dataclass(frozen=True)
class Inner:
    """A record that does not know the command line.

    Attributes:
        depth: how deep it is, which takes more than one line of the docstring
            to explain.
        levels: levels to use.
        sliced: cut it into slices.
    """

    depth: int = 2
    levels: tuple[int, ...] = (1, 2)
    sliced: bool = True


@dataclass(frozen=True)
class Outer:
    """A record with another one in it.

    Attributes:
        name: name of it.
        inner: more of it.
        hidden: not an option.
        fast: be fast.
    """

    name: str
    inner: Inner = field(default_factory=Inner)
    hidden: int = 7
    fast: bool = False


@dataclass(frozen=True)
class Shared:
    """Options with a panel.

    Attributes:
        paths: inputs.
        kind: kind of result.
    """

    PANEL: ClassVar[str] = "Own panel"

    paths: Annotated[list[str], typer.Argument(metavar="PATH")]
    kind: Annotated[Literal["a", "b"], typer.Option("--kind", "-k")] = "a"


@dataclass(frozen=True)
class More(Shared):
    """Options of one command.

    Attributes:
        blocks: blocks to use.
    """

    blocks: tuple[int, ...] | None = None


RULE = AsOptions(
    "Outer",
    panels={"inner": "Inner"},
    options={"fast": typer.Option("--fast/--slow")},
    without=("hidden",),
)


@pytest.fixture
def command():
    app = typer.Typer()

    @app.command(cls=Command)
    @grouped
    def run(
        ctx: typer.Context,
        shared: More,
        outer: Annotated[Outer, RULE],
        count: Annotated[int, typer.Option(min=1)] = 1,
    ) -> None:
        """Run it."""
        print(shared, outer, count, ctx.get_parameter_source("depth").name)

    def invoke(*args, **kwargs):
        return CliRunner().invoke(app, args, env={"COLUMNS": "120"}, **kwargs)

    return invoke


def test_records_get_the_values_of_their_options(command):
    result = command(
        "x", "y", "--name", "n", "-k", "b", "--levels", "3, 4", "--no-sliced", "--fast",
        "--blocks", "6,12", "--count", "2",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    outer = Outer("n", Inner(levels=(3, 4), sliced=False), fast=True)
    assert result.stdout == f"{More(['x', 'y'], 'b', (6, 12))} {outer} 2 DEFAULT\n"


def test_defaults_are_those_of_the_fields(command):
    result = command("x", "--name", "n")
    assert result.stdout == f"{More(['x'])} {Outer('n')} 1 DEFAULT\n"


def test_the_help_is_the_docstring_of_the_records(command):
    lines = [line.strip("│╭╮╰╯─ ") for line in command("--help").stdout.splitlines()]
    text = " ".join(" ".join(lines).split())
    assert "How deep it is, which takes more than one line of the docstring to explain." in text
    assert "[default: 1,2]" in text
    assert "--sliced --no-sliced" in text
    assert "--fast --slow" in text
    assert "--hidden" not in text and "--inner" not in text
    panels = [line for line in lines if line in ("Arguments", "Outer", "Inner", "Own panel")]
    assert panels == ["Arguments", "Own panel", "Outer", "Inner"]


@pytest.mark.parametrize("args", [["x"], ["--name", "n"], ["x", "--name", "n", "-k", "c"]])
def test_required_and_restricted_values_are_checked(command, args):
    assert command(*args).exit_code == 2


def test_numbers_that_are_none_name_the_parameter(command):
    result = command("x", "--name", "n", "--levels", "1;2")
    assert isinstance(result.exception, UsageError)
    assert "`levels` takes whole numbers separated by commas" in str(result.exception)


def test_a_subclass_inherits_help_texts():
    assert field_help(More) == {
        "paths": "Inputs.",
        "kind": "Kind of result.",
        "blocks": "Blocks to use.",
    }


def test_an_option_of_two_records_is_an_error():
    with pytest.raises(ValueError, match="duplicate parameter name"):

        @grouped
        def run(one: Shared, other: More) -> None: ...
