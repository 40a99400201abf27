from __future__ import annotations

import sys

from moeclip_cli.cli.tables import one_line, print_rows

ROWS = [("mvtec", "no"), ("零件", "https://example.org/" + "a" * 200), ("x\ty\n", "\x1b[2J")]


def test_without_a_terminal_cells_are_separated_by_tabs(capsys):
    print_rows(("NAME", "FOUND"), ROWS)
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert lines == [["NAME", "FOUND"], *(list(map(one_line, row)) for row in ROWS)]


def test_in_a_terminal_columns_are_aligned_and_long_cells_stay_whole(capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_rows(("NAME", "FOUND"), ROWS)
    assert capsys.readouterr().out.splitlines() == [
        "NAME    FOUND",
        "mvtec   no",
        "零件    https://example.org/" + "a" * 200,
        "x\\ty\\n  \\x1b[2J",
    ]


def test_nothing_in_a_cell_can_command_a_terminal():
    assert one_line("a\x1b]0;x\x07\u202e\udcff") == "a\\x1b]0;x\\x07\\u202e\\udcff"
