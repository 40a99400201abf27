"""Options of `moeclip score` for its results table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import typer

from moeclip_cli.choices import CsvDialect, TableChoice, TableFormat
from moeclip_cli.cli.options import OUTPUT
from moeclip_cli.errors import UsageError
from moeclip_cli.extras import require_installed

# The package that writes a format, and the extra of moeclip that installs it.
_PACKAGES: dict[TableChoice, tuple[str, str]] = {
    "parquet": ("pyarrow", "parquet"),
    "xlsx": ("openpyxl", "excel"),
}


@dataclass(frozen=True)
class TableOptions:
    """Format of the results table.

    Attributes:
        table_format: file format of the results table.
        csv_dialect: standard is RFC 4180; excel marks the file as UTF-8 for Excel; excel-de has
            semicolons and decimal commas too.
    """

    PANEL: ClassVar[str] = OUTPUT

    table_format: Annotated[TableChoice, typer.Option("--format", "-f")] = "csv"
    csv_dialect: CsvDialect = "standard"

    def read(self) -> TableFormat:
        """The format with its dialect.

        Raises:
            UsageError: if a dialect is given for another format than CSV.
            MissingExtraError: if the package that writes the format is not installed.
        """
        if self.table_format in _PACKAGES:
            require_installed(*_PACKAGES[self.table_format])
        if self.csv_dialect == "standard":
            return self.table_format
        if self.table_format != "csv":
            raise UsageError("`csv_dialect` is for CSV tables; omit it, or use `format` csv.")
        return "csv-excel" if self.csv_dialect == "excel" else "csv-excel-de"
