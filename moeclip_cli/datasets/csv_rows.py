"""CSV files with a header, with errors that name the line."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from moeclip_cli.errors import DatasetError

# Spreadsheets use one of these, depending on the locale.
_SEPARATORS = ",;\t"


def read_csv(
    path: Path, required: Sequence[str], optional: Sequence[str] = ()
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the line number and the cells by column of each row of a CSV file.

    Args:
        path: the file, in UTF-8, separated by comma, semicolon or tab.
        required: columns that must be present.
        optional: columns that may be present; the cells of a missing one are empty.

    Raises:
        DatasetError: if the file cannot be read, lacks a required column, has an unknown column or
            has a row with a different number of cells.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            header = lines.readline()
            lines.seek(0)
            reader = csv.DictReader(
                lines, delimiter=max(_SEPARATORS, key=header.count), strict=True
            )
            _check_columns(path, reader.fieldnames or (), required, optional)
            for row in reader:
                if None in row or None in row.values():
                    raise DatasetError(
                        f"Line {reader.line_num} of {path} has a different number of cells than "
                        "the header; correct it."
                    )
                yield reader.line_num, {name: row.get(name, "") for name in (*required, *optional)}
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path} is not encoded in UTF-8; save it as CSV UTF-8.") from error
    except csv.Error as error:
        raise DatasetError(f"{path} is not valid CSV ({error}); save it again.") from error


def _check_columns(
    path: Path, header: Sequence[str], required: Sequence[str], optional: Sequence[str]
) -> None:
    known = (*required, *optional)
    for name in required:
        if name not in header:
            raise DatasetError(
                f"{path} has no column '{name}'; its first line must name columns from this list: "
                f"{', '.join(known)}."
            )
    for name in header:
        if name not in known:
            raise DatasetError(f"{path} has an unknown column '{name}'; use {', '.join(known)}.")
