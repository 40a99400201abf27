"""Groups of options: a command takes a few records instead of dozens of parameters.

    @grouped
    def score(images: ImageOptions, model: ModelOptions, run: RunOptions) -> None: ...

Typer sees one parameter for each field of the records. The name, type and default of a field are
those of the option; its entry in the `Attributes:` section of the record's docstring is the help
text.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from copy import copy
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass, replace
from functools import wraps
from inspect import Parameter
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer
from typer.models import OptionInfo, ParameterInfo

from moeclip_cli.errors import UsageError

_NUMBERS = tuple[int, ...]


@dataclass(frozen=True)
class AsOptions:
    """Annotation of a parameter: how the fields of its record become options.

    Attributes:
        panel: help panel of the options; None for the record's `PANEL`.
        panels: other help panels by field; for a field that is a record, of all its fields.
        options: `typer.Option(...)` with names, ranges or the like, by field.
        without: fields that are not options and keep their defaults.
    """

    panel: str | None = None
    panels: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    without: Collection[str] = ()


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command one parameter for each field of the records that it takes.

    A record is a dataclass. A field can be annotated with `typer.Option` or `typer.Argument`, which
    needs no help text. Fields that are records themselves are flattened; the user types a
    `tuple[int, ...]` as numbers separated by commas.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, _Group] = {}
    parameters: list[Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        kind, rule = _split(hints[name], AsOptions)
        if is_dataclass(kind):
            groups[name] = _Group(kind, rule or AsOptions())
            parameters += groups[name].parameters()
        else:
            parameters.append(parameter.replace(annotation=hints[name]))

    @wraps(command)
    def run(**values: Any) -> None:
        records = {name: group.build(values) for name, group in groups.items()}
        command(**values, **records)

    # Typer reads both.
    run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [parameter.replace(kind=Parameter.KEYWORD_ONLY) for parameter in parameters]
    )
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def field_help(record: type) -> dict[str, str]:
    """Help texts for the fields of a record, from the `Attributes:` section of its docstring.

    A subclass inherits those of its base class.
    """
    texts: dict[str, str] = {}
    for each in reversed(record.__mro__[:-1]):
        _, _, section = inspect.cleandoc(each.__doc__ or "").partition("Attributes:\n")
        entries = re.findall(r"^ {4}(\w+): (.+(?:\n {5,}.+)*)", section, flags=re.MULTILINE)
        texts |= {name: " ".join(text.split()) for name, text in entries}
    return {name: text[0].upper() + text[1:] for name, text in texts.items()}


class _Group:
    """A record and the parameters that its fields become."""

    def __init__(self, record: Any, rule: AsOptions) -> None:
        self._record = record
        self._members: dict[str, Parameter | _Group] = {}
        self._numbers: set[str] = set()
        hints = get_type_hints(record, include_extras=True)
        texts = field_help(record)
        for each in fields(record):
            name, (kind, option) = each.name, _split(hints[each.name], ParameterInfo)
            panel = rule.panels.get(name, rule.panel or getattr(record, "PANEL", None))
            if is_dataclass(kind):
                self._members[name] = _Group(kind, replace(rule, panel=panel))
            elif name not in rule.without:
                option = copy(option or rule.options.get(name) or typer.Option())
                option.help = option.help or texts[name]
                if isinstance(option, OptionInfo):
                    option.rich_help_panel = option.rich_help_panel or panel
                self._members[name] = self._parameter(each, kind, option)

    def _parameter(self, each: Field[Any], kind: Any, option: ParameterInfo) -> Parameter:
        default = Parameter.empty if each.default is MISSING else each.default
        unnamed = option.default is ... and not option.param_decls
        if default is False and unnamed and isinstance(option, OptionInfo):
            # Typer would add --no-name.
            option.param_decls = (f"--{each.name.replace('_', '-')}",)
        if _NUMBERS in (kind, *get_args(kind)):
            self._numbers.add(each.name)
            kind = str if kind == _NUMBERS else str | None
            default = ",".join(map(str, default)) if isinstance(default, tuple) else default
        annotation = Annotated[kind, option]
        return Parameter(each.name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)

    def parameters(self) -> Iterator[Parameter]:
        """The parameters of all fields, those of nested records included."""
        for member in self._members.values():
            if isinstance(member, _Group):
                yield from member.parameters()
            else:
                yield member

    def build(self, values: dict[str, Any]) -> Any:
        """Remove the values of the fields from `values` and make the record of them."""
        content = {
            name: member.build(values) if isinstance(member, _Group) else values.pop(name)
            for name, member in self._members.items()
        }
        for name in self._numbers:
            if content[name] is not None:
                content[name] = _numbers(name, content[name])
        return self._record(**content)


def _numbers(name: str, text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise UsageError(
            f"`{name}` takes whole numbers separated by commas, such as 6,12, not '{text}'."
        ) from error


def _split(hint: Any, kind: type) -> tuple[Any, Any]:
    """A type, and the first of its annotations that is a `kind`."""
    if get_origin(hint) is not Annotated:
        return hint, None
    annotated, *extras = get_args(hint)
    return annotated, next((extra for extra in extras if isinstance(extra, kind)), None)
