"""Settings instead of options: the file `moeclip.toml` and the variables `MOECLIP_*`.

The command line overrides variables; variables override the file. Top-level keys of the file are
for every command that has such an option. A table is for one command, such as `[score]`, or for a
group of commands, such as `[datasets]`. Keys are long options without the leading dashes.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import typer
from typer.core import TyperGroup, TyperOption

from moeclip_cli.bounded_text import MEGABYTE, parse_toml, read_small_text, shortened
from moeclip_cli.cli.parameters import Command
from moeclip_cli.cli.variables import warn_about_unknown
from moeclip_cli.cli.wrong_values import remember_file
from moeclip_cli.errors import UsageError

DEFAULT_FILE = "moeclip.toml"


class SettingsCommand(Command):
    """A command whose options can also be set by variables `MOECLIP_<OPTION>`."""

    # Options that say how to run the command, not what it does.
    not_settings: tuple[str, ...] = ("config", "help", "debug")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, option in options(self).items():
            option.envvar = option.envvar or f"MOECLIP_{name}".upper()
            # A variable beside each option would clutter the help.
            option.show_envvar = False

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the command line, after a warning about variables that nothing reads."""
        if not ctx.resilient_parsing:
            warn_about_unknown(_variables(ctx.find_root().command))
        return super().parse_args(ctx, args)


def options(command: SettingsCommand) -> dict[str, TyperOption]:
    """The options of a command that are settings, by their names in a file."""
    named = {_long_name(one): one for one in command.params if isinstance(one, TyperOption)}
    return {name: one for name, one in named.items() if name not in command.not_settings}


def _long_name(option: TyperOption) -> str:
    """The name as the user types it, such as `format`; the code may use another name."""
    return next(name for name in option.opts if name.startswith("--"))[2:].replace("-", "_")


def apply_file(ctx: typer.Context, path: Path | None) -> Path | None:
    """Make the settings file the defaults of the command that is being parsed.

    Args:
        ctx: context of the command, before its other options are parsed.
        path: file that `--config` names; None for `moeclip.toml` in the current folder, if it
            exists.

    Raises:
        UsageError: if the file cannot be read or contains an unknown setting.
    """
    file = path or Path(DEFAULT_FILE)
    if path is None and not file.is_file():
        return path
    try:
        text = read_small_text(file, "settings file", limit=MEGABYTE)
        content = parse_toml(text)
    except ValueError as error:  # invalid TOML, and text that is not UTF-8
        raise UsageError(f"{file} is not valid TOML: {shortened(error, 200)}.") from error
    remember_file(ctx, file, text, _table(ctx))
    own, shared = _checked(file, content, ctx.find_root().command)
    command = cast(SettingsCommand, ctx.command)
    chosen = shared | own.get(_table(ctx), {})
    ctx.default_map = {
        option.name: chosen[key] for key, option in options(command).items() if key in chosen
    }
    return path


def _table(ctx: typer.Context) -> str:
    """The table of the command: its own name, or the name of its group."""
    while ctx.parent is not None and ctx.parent.parent is not None:
        ctx = cast(typer.Context, ctx.parent)
    return ctx.info_name or ""


def _checked(
    file: Path, content: Mapping[str, Any], program: Any
) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """The settings by table, and those of all commands, after a check for unknown ones."""
    known = {name: _settings(command) for name, command in program.commands.items()}
    everywhere = {option for names in known.values() for option in names}
    own, shared = {}, {}
    for key, value in content.items():
        if isinstance(value, dict) and key not in known:
            raise UsageError(
                f"{file} has an unknown table [{shortened(key)}]; "
                f"{_hint(key, filter(known.get, known), 'the tables are', '[{}]')}"
            )
        if isinstance(value, dict):
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


def _variables(program: Any) -> Iterator[str]:
    """The variables of all commands of a group."""
    for command in program.commands.values():
        if isinstance(command, TyperGroup):
            yield from _variables(command)
        elif isinstance(command, SettingsCommand):
            yield from (str(option.envvar) for option in options(command).values())


def _underscored(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key.replace("-", "_"): value for key, value in table.items()}


def _refuse_unknown(file: Path, table: Mapping[str, Any], known: set[str], where: str) -> None:
    for key in table:
        if key not in known:
            unknown, *names = (name.replace("_", "-") for name in (key, *sorted(known)))
            raise UsageError(
                f"{file} has an unknown setting '{shortened(unknown)}'{where}; "
                f"{_hint(unknown, names, 'known settings:', '{}')}"
            )


def _hint(wrong: str, known: Iterable[str], introduction: str, form: str) -> str:
    """A similar name or, without one, all names."""
    names = sorted(known)
    if near := difflib.get_close_matches(wrong, names, n=1):
        return f"did you mean {form.format(near[0])}?"
    return f"{introduction} {', '.join(map(form.format, names))}."
