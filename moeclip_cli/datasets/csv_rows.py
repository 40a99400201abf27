"""Reading a CSV file with a header, each fault in one sentence that names the line."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from moeclip_cli.errors import DatasetError

# Spreadsheets write these, depending on the country.
_SEPARATORS = ",;\t"


def read_csv(
    path: Path, required: Sequence[str], optional: Sequence[str] = ()
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields the rows of a CSV file as column -> cell, with their line numbers.

    Args:
        path: the file; UTF-8, separated by comma, semicolon or tab.
        required: columns that it has to have.
        optional: columns that it may have besides; the cells of a missing one are empty.

    Raises:
        DatasetError: if the file cannot be read, lacks a column, has one more or has an odd row.
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
                        f"Line {reader.line_num} of {path} has not as many cells as the header; "
                        "correct it."
                    )
                yield reader.line_num, {name: row.get(name, "") for name in (*required, *optional)}
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path} is not UTF-8; save it as CSV UTF-8.") from error
    except csv.Error as error:
        raise DatasetError(f"{path} is not valid CSV ({error}); save it anew.") from error


def _check_columns(
    path: Path, found: Sequence[str], required: Sequence[str], optional: Sequence[str]
) -> None:
    known = (*required, *optional)
    for name in required:
        if name not in found:
            raise DatasetError(
                f"{path} has no column '{name}'; its first line must name columns out of "
                f"{', '.join(known)}."
            )
    for name in found:
        if name not in known:
            raise DatasetError(
                f"{path} has an unknown column '{name}'; known are {', '.join(known)}."
            )
