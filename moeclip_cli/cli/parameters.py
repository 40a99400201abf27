"""Parameter names in messages: the library writes `max_pixels`, the user reads --max-pixels."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperOption

from moeclip_cli.cli.wrong_values import explain, typed_value
from moeclip_cli.errors import UsageError

_NAME = re.compile("`([a-z][a-z0-9_]*)`")
# What becomes of "", for example of a variable that a script has not set, but also of ".".
_EMPTY = Path()
_PATHS = ("path", "file", "directory")
# Of the command that runs in this process: parameter name -> as the user types it.
_typed: dict[str, str] = {}


class Command(TyperCommand):
    """A command whose parameters messages can name."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the command line.

        Raises:
            UsageError: if a path is an empty text, which would mean the current folder.
        """
        _typed.clear()
        for parameter in self.params:
            _typed.update(_names(parameter))
        typed = list(args)  # parsing takes the arguments out of the list
        try:
            rest = super().parse_args(ctx, args)
        except typer.BadParameter as error:
            explain(error, ctx, typed)
            raise
        for parameter in self.params:
            value = ctx.params.get(parameter.name)
            if (value == _EMPTY or (value == "" and _is_path(parameter))) and _is_empty(
                parameter, typed
            ):
                raise UsageError(f"`{parameter.name}` is empty; name a file or folder.")
        return rest


def _is_path(parameter: Any) -> bool:
    """True for a path of an early Typer, which makes it of the text later."""
    return getattr(getattr(parameter, "type", None), "name", "") in _PATHS


def with_options(message: str) -> str:
    """Replace parameter names in backticks by options and arguments of the running command.

    Names that the command does not have only lose their backticks.
    """
    return _NAME.sub(lambda found: _typed.get(found[1], found[1]), message)


def _is_empty(parameter: Any, arguments: list[str]) -> bool:
    """True if the path was typed as "", and not as "."."""
    if isinstance(parameter, TyperOption):
        return typed_value(parameter.opts, arguments) == ""
    return "" in arguments and "." not in arguments


def _names(parameter: Any) -> dict[str, str]:
    """The names of a parameter in Python and in settings files, and how it is typed."""
    if not isinstance(parameter, TyperOption):
        return {parameter.name: parameter.metavar or parameter.name.upper()}
    long = [name for name in (*parameter.opts, *parameter.secondary_opts) if name[:2] == "--"]
    return {name[2:].replace("-", "_"): name for name in long} | {parameter.name: long[0]}
