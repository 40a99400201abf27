from __future__ import annotations

import pytest
from rich.table import Table

from moeclip_cli.cli import console


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1.23, "1.2 s"), (12.3, "12 s"), (125, "2 min 5 s"), (7260, "2 h 1 min")],
)
def test_duration(seconds, text):
    assert console.duration(seconds) == text


def test_messages_cannot_play_tricks_with_the_terminal(capsys):
    console.fail("a[bold]\x1b[31m\udcff\n.png is empty.")
    assert capsys.readouterr().err == "Error: a[bold]\\x1b[31m\\udcff\\n.png is empty.\n"


def test_lines_of_a_table_in_a_pipe_end_with_their_text(capsys):
    table = Table("short", "of different length", title="Sizes", box=None)
    table.add_row("a rather long cell", "b")
    console.print_table(table)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines][2] == ["a", "rather", "long", "cell", "b"]
    assert all(line == line.rstrip() for line in lines)


def test_progress_without_a_terminal_is_a_line_now_and_then(capsys, monkeypatch):
    now = iter(range(0, 1000, 20))
    monkeypatch.setattr(console.time, "monotonic", lambda: next(now))
    with console.meter(10, quiet=False) as meter:
        for _ in range(4):
            meter.advance()
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "Scoring: 2 of 10, 0.05 images/s, 2 min 40 s left",
        "Scoring: 4 of 10, 0.05 images/s, 2 min 0 s left",
    ]


def test_quiet_progress_says_nothing(capsys):
    with console.meter(2, quiet=True) as meter:
        meter.advance()
    assert capsys.readouterr().err == ""
