"""Tables on standard output: aligned in a terminal, separated by tabs in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence


def print_rows(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print aligned columns in a terminal, otherwise one line of tab-separated cells per row.

    Long cells are not wrapped, so that they can be copied as a whole.
    """
    lines = [[one_line(cell) for cell in row] for row in (header, *rows)]
    if not sys.stdout.isatty():
        print("\n".join("\t".join(line) for line in lines))
        return
    from rich.cells import cell_len

    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = (
            cell + " " * (width - cell_len(cell)) for cell, width in zip(line, widths, strict=True)
        )
        print("  ".join(padded).rstrip())


def one_line(cell: str) -> str:
    """Escape line breaks and control characters; file names may contain any of them."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in cell)
