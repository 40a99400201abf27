from __future__ import annotations

import time

import pytest
from rich.table import Table

from moeclip_cli.cli import console


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1.23, "1.2 s"), (12.3, "12 s"), (125, "2 min 5 s"), (7260, "2 h 1 min")],
)
def test_duration(seconds, text):
    assert console.duration(seconds) == text


@pytest.mark.parametrize(
    ("per_second", "text"), [(12.34, "12.3"), (1, "1.0"), (0.81, "0.81"), (0.0271, "0.027")]
)
def test_a_slow_rate_is_not_zero(per_second, text):
    assert console.rate(per_second) == text


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


def test_a_note_is_printed_only_for_the_expected_exceptions(capsys):
    with pytest.raises(KeyError), console.note_if(KeyboardInterrupt, "Saved."):
        raise KeyError
    assert capsys.readouterr().err == ""
    with pytest.raises(KeyboardInterrupt), console.note_if(KeyboardInterrupt, "Saved."):
        raise KeyboardInterrupt
    assert capsys.readouterr().err == "Saved.\n"


def test_a_long_activity_without_a_terminal_gives_signs_of_life(capsys, monkeypatch):
    monkeypatch.setattr(console, "LINE_EVERY_S", 0.01)
    said = ""
    give_up = time.monotonic() + 10
    with console.status("Exporting the graph", quiet=False):
        while said.count("\n") < 2 and time.monotonic() < give_up:
            time.sleep(0.01)
            said += capsys.readouterr().err
    assert said.startswith("Exporting the graph: 0.0 s\nExporting the graph: 0.")
    capsys.readouterr()  # a line may have come at the end of the block, and none after it
    with console.status("Exporting the graph", quiet=True):
        time.sleep(0.05)
    assert capsys.readouterr().err == ""
