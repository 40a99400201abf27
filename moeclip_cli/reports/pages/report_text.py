"""What the user adds to the report of a scoring run; imports nothing that takes time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from moeclip_cli.choices import Language


@dataclass(frozen=True)
class ReportText:
    """What the user adds to a report, and its language.

    Attributes:
        title: title; None for the name of the object.
        fields: further facts, such as ("operator", "Kim"), in this order.
        language: of the words of the report.
    """

    title: str | None = None
    fields: tuple[tuple[str, str], ...] = ()
    language: Language = "en"

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> ReportText:
        """The text that a run card has recorded; see `to_dict`."""
        fields = tuple((str(name), str(value)) for name, value in record.get("fields", []))
        return cls(record.get("title"), fields, record.get("language", "en"))

    def to_dict(self) -> dict[str, Any]:
        """The text in JSON types."""
        return asdict(self)
