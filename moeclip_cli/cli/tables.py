"""Tables on standard output that people can read and programs can cut."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence


def print_rows(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns below each other in a terminal, else lines of cells with tabs between them.

    What is too long is left to the terminal to break, so that it can still be copied whole.
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
    """Text in one line that no terminal takes for a command; file names may hold anything."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in cell)
