"""Options for the text of the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from moeclip_cli.choices import Language
from moeclip_cli.cli import options
from moeclip_cli.errors import UsageError

if TYPE_CHECKING:
    from moeclip_cli.reports.pages.report_text import ReportText


@dataclass(frozen=True)
class ReportOptions:
    """The text of the report.

    Attributes:
        title: title of the report. Default: the name of the object.
        field: fact to show below the title of the report, such as operator=Kim. Can be repeated.
        language: language of the report, en or de. Default: en.
    """

    PANEL: ClassVar[str] = options.OUTPUT

    title: str | None = None
    field: Annotated[list[str] | None, typer.Option(metavar="NAME=TEXT", show_default=False)] = None
    language: Annotated[Language | None, typer.Option(show_default=False)] = None

    @property
    def given(self) -> bool:
        """Whether there is any."""
        return bool(self.title or self.field or self.language)

    def text(self) -> ReportText:
        """The text.

        Raises:
            UsageError: if a field has no name or no text.
        """
        from moeclip_cli.reports.pages.report_text import ReportText

        fields = tuple(map(_pair, self.field or ()))
        return ReportText(self.title, fields, self.language or "en")


def _pair(field: str) -> tuple[str, str]:
    name, _, text = (part.strip() for part in field.partition("="))
    if not name or not text:
        raise UsageError(f"`field` must be NAME=TEXT, such as operator=Kim, not '{field}'.")
    return name, text
