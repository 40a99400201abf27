"""Settings that need not be typed: `moeclip.toml` and `MOECLIP_*` variables.

The command line wins over a variable, a variable over the file. In the file, keys at the top are
for every command that has such an option, those in a `[score]` table for `moeclip score` alone;
a `[datasets]` table is for all of that group. Keys are the long options without their dashes.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from moeclip_cli.errors import UsageError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DEFAULT_FILE = "moeclip.toml"


class SettingsCommand(TyperCommand):
    """A command whose every option can also be set by a variable `MOECLIP_<OPTION>`."""

    # These say how to run a command, not what it does.
    not_settings: tuple[str, ...] = ("config", "help", "debug")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, option in options(self).items():
            option.envvar = option.envvar or f"MOECLIP_{name}".upper()
            # Naming a variable beside each option would drown the help.
            option.show_envvar = False


def options(command: SettingsCommand) -> dict[str, TyperOption]:
    """The options of a command that are settings, by their names in a file."""
    named = {_long_name(one): one for one in command.params if isinstance(one, TyperOption)}
    return {name: one for name, one in named.items() if name not in command.not_settings}


def _long_name(option: TyperOption) -> str:
    """As it is typed, not as the code calls it: `format`, `all`."""
    return next(name for name in option.opts if name.startswith("--"))[2:].replace("-", "_")


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
    own, shared = _checked(file, content, ctx.find_root().command)
    command = cast(SettingsCommand, ctx.command)
    chosen = shared | own.get(_table(ctx), {})
    ctx.default_map = {
        option.name: chosen[key] for key, option in options(command).items() if key in chosen
    }
    return path


def _table(ctx: typer.Context) -> str:
    """What the command's own table is called: a command in a group has the group's."""
    while ctx.parent is not None and ctx.parent.parent is not None:
        ctx = cast(typer.Context, ctx.parent)
    return ctx.info_name or ""


def _checked(
    file: Path, content: Mapping[str, Any], program: Any
) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """The settings of single commands and those of all, every one known to some command."""
    known = {name: _settings(command) for name, command in program.commands.items()}
    everywhere = {option for names in known.values() for option in names}
    own, shared = {}, {}
    for key, value in content.items():
        if isinstance(value, dict) and key in known:
            own[key] = _underscored(value)
            _refuse_unknown(file, own[key], known[key], f" in [{key}]")
        else:
            shared[key] = value
    shared = _underscored(shared)
    _refuse_unknown(file, shared, everywhere, "")
    return own, shared


def _settings(command: Any) -> set[str]:
    """Names of the settings of a command, or of all commands in a group."""
    if isinstance(command, TyperGroup):
        return {name for one in command.commands.values() for name in _settings(one)}
    return set(options(command)) if isinstance(command, SettingsCommand) else set()


def _underscored(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key.replace("-", "_"): value for key, value in table.items()}


def _refuse_unknown(file: Path, table: Mapping[str, Any], known: set[str], where: str) -> None:
    for key in table:
        if key not in known:
            typed, *names = (name.replace("_", "-") for name in (key, *sorted(known)))
            raise UsageError(
                f"{file} has an unknown setting '{typed}'{where}; known are {', '.join(names)}."
            )
