"""Settings that need not be typed: `moeclip.toml` and `MOECLIP_*` variables.

The command line wins over a variable, a variable over the file. In the file, keys at the top are
for every command that has such an option, those in a `[score]` table for `moeclip score` alone.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from moeclip_cli.errors import UsageError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DEFAULT_FILE = "moeclip.toml"
# These say how to run a command, not what it does.
_NOT_SETTINGS = ("config", "help", "debug")


class SettingsCommand(TyperCommand):
    """A command whose every option can also be set by a variable `MOECLIP_<OPTION>`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for option in options(self).values():
            option.envvar = option.envvar or f"MOECLIP_{option.name}".upper()
            # Naming a variable beside each option would drown the help.
            option.show_envvar = False


def options(command: Any) -> dict[str, Any]:
    """The options of a command that are settings, by their names in a file."""
    return {
        param.name: param
        for param in command.params
        if isinstance(param, TyperOption) and param.name not in _NOT_SETTINGS
    }


def apply_file(ctx: typer.Context, path: Path | None) -> Path | None:
    """Make the settings file the defaults of the command that is being parsed.

    Args:
        ctx: the command's context, before its other options are read.
        path: the file that `--config` names; otherwise `moeclip.toml` in the current folder is
            used if there is one.

    Raises:
        UsageError: if the file cannot be read or has a setting that no command knows.
    """
    file = path or Path(DEFAULT_FILE)
    if path is None and not file.is_file():
        return path
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"Cannot read the settings in {file}: {error.strerror}.") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{file} is not valid TOML: {error}.") from error
    group = ctx.find_root().command
    commands = group.commands if isinstance(group, TyperGroup) else {}
    ctx.default_map = _defaults(file, content, commands, ctx.info_name or "")
    return path


def _defaults(
    file: Path, content: Mapping[str, Any], commands: Mapping[str, Any], name: str
) -> dict[str, Any]:
    """The settings for the command `name`, after a check of all the others."""
    known = {command: options(commands[command]).keys() for command in commands}
    everywhere = {option for names in known.values() for option in names}
    shared, own = {}, {}
    for key, value in content.items():
        if isinstance(value, dict) and key in known:
            table = _underscored(value)
            _refuse_unknown(file, table, set(known[key]), f" in [{key}]")
            if key == name:
                own = table
        else:
            shared[key] = value
    shared = _underscored(shared)
    _refuse_unknown(file, shared, everywhere, "")
    return {key: value for key, value in (shared | own).items() if key in known.get(name, ())}


def _underscored(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key.replace("-", "_"): value for key, value in table.items()}


def _refuse_unknown(file: Path, table: Mapping[str, Any], known: set[str], where: str) -> None:
    for key in table:
        if key not in known:
            names = ", ".join(sorted(option.replace("_", "-") for option in known))
            raise UsageError(f"{file} has an unknown setting '{key}'{where}; known are {names}.")
