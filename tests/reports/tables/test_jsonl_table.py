import json
import os
from pathlib import Path

import pytest

from moeclip_cli.errors import UsageError
from moeclip_cli.inspection.result import COLUMNS, Row
from moeclip_cli.reports.tables.jsonl_table import JsonlTable

PATHS = [
    "=1.png",
    "two\nlines.png",
    "部品.png",
    'quo"te.png',
    os.fsdecode(b"caf\xe9.png"),
    "\u2028",
]


def write(path: Path, rows: list[Row]) -> None:
    with JsonlTable(path, resume=False) as table:
        table.write(rows)


def test_each_line_is_an_object_with_every_column(tmp_path: Path, scored_row: Row) -> None:
    path = tmp_path / "results.jsonl"
    write(path, [scored_row, Row(path="x.png", error="broken")])
    first, second = map(json.loads, path.read_text().splitlines())
    assert list(first) == list(second) == list(COLUMNS)
    assert first["score"] == 0.8123
    assert (second["score"], second["error"]) == (None, "broken")


def test_paths_read_back_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    write(path, [Row(path=name) for name in PATHS])
    path.read_bytes().decode("utf-8")
    with JsonlTable(path, resume=True) as table:
        assert [row.path for row in table.rows()] == PATHS


def test_a_truncated_file_resumes_with_its_complete_rows(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    rows = [Row(path="first.png"), Row(path="second ü.png")]
    write(path, rows)
    whole = path.read_bytes()
    first_ends = whole.index(b"\n") + 1
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        with JsonlTable(path, resume=True) as table:
            kept = list(table.rows())
            table.write(rows[len(kept) :])
        assert len(kept) == (length >= first_ends) + (length == len(whole))
        assert path.read_bytes() == whole


def test_rows_of_an_earlier_version_are_removed(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    earlier = {name: None for name in COLUMNS if not name.startswith("peak")} | {"path": "x.png"}
    path.write_text(json.dumps(earlier) + "\n")
    with JsonlTable(path, resume=True) as table:
        assert table.outdated
        assert list(table.rows()) == []


def test_a_table_without_rows_is_an_empty_file(tmp_path: Path) -> None:
    write(tmp_path / "results.jsonl", [])
    assert (tmp_path / "results.jsonl").read_bytes() == b""


@pytest.mark.parametrize("content", [b"no table", b"[1, 2]\n", b'{"file": 1}\n'])
def test_another_file_is_rejected_and_unchanged(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"results\.jsonl is not a results table .*`overwrite`"):
        JsonlTable(path, resume=True)
    assert path.read_bytes() == content


@pytest.mark.parametrize("line", ['{"path": ', '{"path": "x.png", "colour": "red"}'])
def test_an_invalid_record_is_rejected(tmp_path: Path, line: str) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(line + "\n")
    with (
        JsonlTable(path, resume=True) as table,
        pytest.raises(UsageError, match="not a results table"),
    ):
        list(table.rows())
