"""What a message about a wrong value of an option says: where it is from, and what it is."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from moeclip_cli.bounded_text import shortened

_LONGEST_VALUE = 60
_LINES = "moeclip.lines"
# Messages of the validation, which do not say what the value should be.
_EXPECTED = {
    "valid number": "a number",
    "valid float": "a number",
    "valid integer": "a whole number",
    "valid boolean": "a switch; use true or false",
}
_TABLE = re.compile(r"\s*\[\s*([\w-]+)\s*\]")
_KEY = re.compile(r"""\s*["']?([\w-]+)["']?\s*=""")


def remember_file(ctx: Any, file: Path, text: str, table: str) -> None:
    """Keep the lines of a settings file, for messages about its values.

    Args:
        ctx: context of the command.
        file: the file.
        text: its content.
        table: the table of the command.
    """
    lines: dict[str, str] = {}
    current = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if found := _TABLE.match(line):
            current = found[1]
        elif (found := _KEY.match(line)) and current in ("", table):
            lines[found[1].replace("-", "_")] = f"{found[1]} in {file}, line {number}"
    ctx.meta[_LINES] = lines


def explain(error: Any, ctx: Any, arguments: Sequence[str]) -> None:
    """Rewrite a message about the value of an option.

    Args:
        error: the exception, whose message and subject are changed.
        ctx: context of the command.
        arguments: the command line.
    """
    option = getattr(error, "param", None)
    if option is None or not getattr(option, "opts", None):
        return
    source = ctx.get_parameter_source(option.name)
    kind = getattr(source, "name", "")
    value: Any = None
    if kind == "ENVIRONMENT":
        error.param_hint = f"the variable {option.envvar}"
        value = os.environ.get(str(option.envvar))
    elif kind == "DEFAULT_MAP":
        lines = ctx.meta.get(_LINES, {})
        names = (name.lstrip("-").replace("-", "_") for name in option.opts)
        error.param_hint = next((lines[name] for name in names if name in lines), None)
        value = (ctx.default_map or {}).get(option.name)
    else:
        value = typed_value(option.opts, arguments)
    error.message = _message(error.message, value)


def typed_value(names: Sequence[str], arguments: Sequence[str]) -> str | None:
    """The last value on the command line of an option with these names."""
    for position in range(len(arguments) - 1, -1, -1):
        argument = arguments[position]
        for name in names:
            if argument == name and position + 1 < len(arguments):
                return arguments[position + 1]
            if argument.startswith(f"{name}="):
                return argument[len(name) + 1 :]
    return None


def _message(message: str, value: Any) -> str:
    message = message.removeprefix("Value error, ")
    if value is None:
        return message
    shown = shortened(repr(value), _LONGEST_VALUE)
    for part, expected in _EXPECTED.items():
        if part in message:
            return f"{shown} is not {expected}."
    return message if repr(value) in message else f"{shown}: {message}"
