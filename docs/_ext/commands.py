"""Sphinx directives that write the command reference from the command line itself.

`{command} score` is the page of one command and of its subcommands; `{settings}` is the table of
all settings. The build warns about a command that no page describes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import typer.main
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from moeclip_cli.cli.app import app
from moeclip_cli.cli.settings import SettingsCommand, options

_PROGRAM = "moeclip"
_METADATA = "commands"
_ARGUMENTS, _OPTIONS = "Arguments", "Options"

_logger = logging.getLogger(__name__)


class CommandDirective(SphinxDirective):
    """Describes the command that its argument names, and its subcommands, in one section each."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        name = self.arguments[0]
        described = [path for path in _commands() if path.split()[1] == name]
        if not described:
            raise self.error(f"There is no command '{name}'.")
        self.env.metadata[self.env.docname][_METADATA] = name
        text = "\n\n".join(_section(path, single=len(described) == 1) for path in described)
        return self.parse_text_to_nodes(text, allow_section_headings=True)


class SettingsDirective(SphinxDirective):
    """Lists the settings with their variables and the commands that have them."""

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        return self.parse_text_to_nodes(_settings_table())


def _commands() -> dict[str, Any]:
    """All commands that do something, by what is typed."""
    root = typer.main.get_command(app)
    return dict(_leaves(root, root.make_context(_PROGRAM, [], resilient_parsing=True)))


def _leaves(command: Any, context: Any) -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        yield context.command_path, context
        return
    for name, child in command.commands.items():
        yield from _leaves(child, type(context)(child, info_name=name, parent=context))


def _section(path: str, *, single: bool) -> str:
    """One command in Markdown, with a heading of its own unless it is the page's only one."""
    context = _commands()[path]
    command = context.command
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    parts = [] if single else [f"## {path}"]
    parts += [f"```text\n{usage}\n```", *map(_paragraph, command.help.split("\n\n"))]
    parts.append(f":::{{program}} {path}\n:::")
    panels: dict[str, list[str]] = {}
    for parameter in command.params:
        panel = getattr(parameter, "rich_help_panel", None)
        if panel is None:
            panel = _ARGUMENTS if parameter.param_type_name == "argument" else _OPTIONS
        panels.setdefault(panel, []).append(_parameter(parameter, context))
    for panel in sorted(panels, key=lambda name: name != _ARGUMENTS):
        parts += [f":::{{rubric}} {panel}\n:::", *panels[panel]]
    return "\n\n".join(parts)


def _paragraph(text: str) -> str:
    line = " ".join(text.split())
    if line.startswith("Example: "):
        return f"```sh\n{line.removeprefix('Example: ')}\n```"
    if line.startswith("Exit codes: "):
        return f"**Exit codes:** {_escaped(line.removeprefix('Exit codes: '))}"
    return _escaped(line)


def _parameter(parameter: Any, context: Any) -> str:
    """An argument or option: how it is typed, its help, and a line of facts."""
    typed, text = parameter.get_help_record(context)
    if parameter.param_type_name == "argument":
        typed = typed.partition(" <")[0]
    # The help ends with facts such as "  [default: 2; x>=1]".
    text, _, extra = text.partition("  [")
    facts = [fact.partition(": ") for fact in extra.removesuffix("]").split("; ") if fact]
    if parameter.envvar:
        facts.append(("variable", ": ", parameter.envvar))
    shown = " · ".join(f"{name} `{value}`" if value else name for name, _, value in facts)
    signature = typed.replace(" / ", ", ")
    line = f"\n\n:::{{container}} facts\n{shown}\n:::" if shown else ""
    return f"::::{{option}} {signature}\n{_escaped(text)}{line}\n::::"


def _settings_table() -> str:
    rows: dict[tuple[str, str], list[str]] = {}
    for path, context in _commands().items():
        if isinstance(context.command, SettingsCommand):
            for name, option in options(context.command).items():
                link = f"{{option}}`{path.removeprefix(_PROGRAM).strip()} <{path} {_long(option)}>`"
                rows.setdefault((name, str(option.envvar)), []).append(link)
    lines = ["| Setting | Variable | Commands |", "| --- | --- | --- |"]
    for (name, variable), commands in sorted(rows.items()):
        lines.append(f"| `{name}` | `{variable}` | {', '.join(commands)} |")
    return "\n".join(lines)


def _long(option: Any) -> str:
    return str(next(name for name in option.opts if name.startswith("--")))


def _escaped(text: str) -> str:
    """Markdown that shows a help text: code stays code, an option becomes code."""
    pieces = re.split(r"(`[^`]*`)", text)
    pieces[::2] = [re.sub(r"([\\\[\]*_<>])", r"\\\1", piece) for piece in pieces[::2]]
    pieces[::2] = [re.sub(r"(?<![\w-])--[a-z][\w-]*", r"`\g<0>`", piece) for piece in pieces[::2]]
    return "".join(pieces)


def _require_all(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn about commands without a page, which ends a build with warnings as errors."""
    described = {page.get(_METADATA) for page in env.metadata.values()}
    for name in dict.fromkeys(path.split()[1] for path in _commands()):
        if name not in described:
            _logger.warning("No page describes the command '%s %s'.", _PROGRAM, name)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives."""
    app.add_directive("command", CommandDirective)
    app.add_directive("settings", SettingsDirective)
    app.connect("env-check-consistency", _require_all)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
