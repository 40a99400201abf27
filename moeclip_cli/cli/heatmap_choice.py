"""`moeclip score --heatmaps [all|anomalous]`: an option whose value may be left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer

from moeclip_cli.cli.settings import SettingsCommand

ALL, ANOMALOUS = "all", "anomalous"
NAMES = ("--heatmaps", "-H")

_ON = ("1", "true", "yes", "on", "t", "y")
_OFF = ("0", "false", "no", "off", "f", "n", "")


def heatmap_choice(value: Any) -> str | None:
    """The images that get an overlay: "all", "anomalous" or, for a switch that is off, None.

    Args:
        value: of the command line, a variable or a settings file, where it may be a switch.

    Raises:
        ValueError: if it is anything else.
    """
    text = str(value).lower()
    if text in (ALL, ANOMALOUS):
        return text
    if text in _ON:
        return ALL
    if text in _OFF:
        return None
    raise ValueError(f"{value!r} is not one of 'all', 'anomalous'.")


Heatmaps = Annotated[
    str | None,
    typer.Option(*NAMES, parser=heatmap_choice, metavar="[all|anomalous]", show_default=False),
]


class ScoreCommand(SettingsCommand):
    """A command with the option `--heatmaps`, which without a value means `--heatmaps=all`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the command line."""
        switches = {
            name[1:]
            for option in self.params
            if getattr(option, "is_flag", False)
            for name in option.opts
            if not name.startswith("--")
        }
        return super().parse_args(ctx, list(_with_value(args, switches)))


def _with_value(arguments: Sequence[str], switches: set[str]) -> Iterator[str]:
    """The arguments, with a value for `--heatmaps` and `-H`, also at the end of `-qH`."""
    rest = iter(enumerate(arguments, start=1))
    for following, argument in rest:
        if argument == "--":
            yield argument
            yield from (each for _, each in rest)
            return
        before = argument[1:-1]
        clustered = argument[:1] == "-" and argument[-1:] == "H" and set(before) <= switches
        if argument not in NAMES and not clustered:
            yield argument
            continue
        if clustered and before:
            yield f"-{before}"
        value = ALL
        if arguments[following : following + 1] in ([ALL], [ANOMALOUS]):
            _, value = next(rest)
        yield f"{NAMES[0]}={value}"
