import csv
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import moeclip_cli
from moeclip_cli.errors import UsageError
from moeclip_cli.inspection.result import COLUMNS, Row
from moeclip_cli.reports.tables.csv_table import CsvTable, ExcelCsvTable, GermanExcelCsvTable
from moeclip_cli.reports.tables.text_index import TextIndex

HOSTILE_PATHS = [
    "=cmd|' /C calc'!A0.png",
    "\rx.png",
    "'=already quoted.png",
    "'harmless.png",
    'say "cheese", please.png',
    "two\nlines\r\nthree.png",
    "部品/Ünïcode 🔩.png",
    " leading and trailing .png ",
    "",
]


def write(path: Path, rows: list[Row], *, resume: bool = False) -> None:
    with CsvTable(path, resume=resume) as table:
        table.write(rows)


def test_header_and_line_ends_follow_rfc_4180(tmp_path: Path, scored_row: Row) -> None:
    path = tmp_path / "new folder" / "results.csv"
    write(path, [scored_row])
    header, line, end = path.read_bytes().split(b"\r\n")
    assert header.decode() == ",".join(COLUMNS)
    assert line == (
        b"line 3/part 1.png,0.8123,anomalous,0.5,123.5,0.51,0.93,20,30,0.465,0.3473,,,,0.012,"
        b"1,3,4,50,60,600,400,metal bracket,moeclip-mini,,,,,,,,,,"
    )
    assert end == b""


def test_german_excel_gets_semicolons_and_decimal_commas(tmp_path: Path, scored_row: Row) -> None:
    path = tmp_path / "results.csv"
    row = replace(scored_row, path="Größe; 7,5 mm.png", map_max=-3.5)
    with GermanExcelCsvTable(path, resume=False) as table:
        table.write([row])
    header, line, _ = path.read_bytes().split(b"\r\n")
    assert header == b"\xef\xbb\xbf" + ";".join(COLUMNS).encode()
    assert line.decode().startswith('"Größe; 7,5 mm.png";0,8123;anomalous;0,5;-3,5;')
    with GermanExcelCsvTable(path, resume=True) as table:
        assert list(table.rows()) == [row]
        table.write([row])
    assert list(GermanExcelCsvTable.read(path)) == [row, row]


def test_excel_finds_utf_8_marked(tmp_path: Path, scored_row: Row) -> None:
    for table_type, name in ((CsvTable, "plain.csv"), (ExcelCsvTable, "excel.csv")):
        with table_type(tmp_path / name, resume=False) as table:
            table.write([scored_row])
    plain, marked = ((tmp_path / name).read_bytes() for name in ("plain.csv", "excel.csv"))
    assert marked == b"\xef\xbb\xbf" + plain
    with pytest.raises(UsageError, match="not a results table"):
        ExcelCsvTable(tmp_path / "plain.csv", resume=True)


def test_a_table_without_rows_has_a_header(tmp_path: Path) -> None:
    write(tmp_path / "results.csv", [])
    assert (tmp_path / "results.csv").read_text().strip() == ",".join(COLUMNS)


def test_hostile_text_reads_back_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    rows = [Row(path=name, prompt=name or None, model="m", error="e") for name in HOSTILE_PATHS]
    write(path, rows)
    with CsvTable(path, resume=True) as table:
        assert list(table.rows()) == rows


def test_text_cells_are_escaped_and_numbers_are_not(tmp_path: Path, scored_row: Row) -> None:
    path = tmp_path / "results.csv"
    write(path, [replace(scored_row, path=name, map_max=-3.5) for name in HOSTILE_PATHS])
    with path.open(encoding="utf-8", newline="") as stream:
        records = list(csv.DictReader(stream))
    assert len(records) == len(HOSTILE_PATHS)
    assert not [
        record["path"] for record in records if record["path"].startswith(tuple("=+-@\t\r"))
    ]
    assert all(record["map_max"] == "-3.5" for record in records)


def test_an_undecodable_path_is_written_in_escaped_spelling(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    name = os.fsdecode(b"caf\xe9.png")
    write(path, [Row(path=name)])
    assert "caf\\udce9.png" in path.read_text(encoding="utf-8")
    with CsvTable(path, resume=True) as table:
        paths = TextIndex(row.path for row in table.rows())
    assert name in paths
    assert "café.png" not in paths


def test_a_truncated_file_resumes_with_its_complete_rows(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    rows = [Row(path="first.png", error="e"), Row(path='quo"te,\r\nünï.png', error="e")]
    write(path, rows)
    whole = path.read_bytes()
    first_ends = len(whole) - len(whole.split(b"first.png")[1].split(b"\r\n", 1)[1])
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        with CsvTable(path, resume=True) as table:
            kept = [row.path for row in table.rows()]
            table.write([row for row in rows if row.path not in kept])
        expected = (
            [] if length < first_ends else [row.path for row in rows[: 1 + (length == len(whole))]]
        )
        assert kept == expected
        assert path.read_bytes() == whole


def test_without_resume_the_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    write(path, [Row(path="old.png")])
    write(path, [Row(path="new.png")])
    with CsvTable(path, resume=True) as table:
        assert [row.path for row in table.rows()] == ["new.png"]


def test_rows_of_an_earlier_version_are_removed(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    earlier = ",".join(name for name in COLUMNS if not name.startswith("peak"))
    path.write_text(f"{earlier}\r\nx.png,0.9\r\n", newline="")
    with CsvTable(path, resume=True) as table:
        assert table.outdated
        assert list(table.rows()) == []
        table.write([Row(path="new.png")])
    with CsvTable(path, resume=True) as table:
        assert not table.outdated
        assert [row.path for row in table.rows()] == ["new.png"]


@pytest.mark.parametrize(
    "content", [b"path,score\r\nx.png,0.5\r\n", b"no table", b"\xff\xfe\x00", b"path;score\n"]
)
def test_another_file_is_rejected_and_unchanged(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "results.csv"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"results\.csv is not a results table .*`overwrite`"):
        CsvTable(path, resume=True)
    assert path.read_bytes() == content


@pytest.mark.parametrize("line", ["x.png,high" + "," * 20, "x.png,1", 'x"y"z,"a"b' + "," * 20])
def test_an_invalid_record_is_rejected(tmp_path: Path, line: str) -> None:
    path = tmp_path / "results.csv"
    write(path, [])
    with path.open("a", newline="") as stream:
        stream.write(line + "\r\n")
    with (
        CsvTable(path, resume=True) as table,
        pytest.raises(UsageError, match="not a results table"),
    ):
        list(table.rows())


def test_written_rows_survive_a_killed_process(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    program = """
import sys
from itertools import count
from pathlib import Path
from moeclip_cli.inspection.result import Row
from moeclip_cli.reports.tables.csv_table import CsvTable, ExcelCsvTable, GermanExcelCsvTable
table = CsvTable(Path(sys.argv[1]), resume=False)
for number in count():
    table.write([Row(path=f"{number}.png", error="e")])
    print(number, flush=True)
"""
    command = [sys.executable, "-c", program, str(path)]
    folder = Path(moeclip_cli.__file__).parents[1]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder) as process:
        assert process.stdout is not None
        written = [int(process.stdout.readline()) for _ in range(200)][-1]
        process.send_signal(signal.SIGKILL)
    with CsvTable(path, resume=True) as table:
        paths = [row.path for row in table.rows()]
    assert paths == [f"{number}.png" for number in range(len(paths))]
    assert len(paths) > written


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_an_error(tmp_path: Path, scored_row: Row) -> None:
    path = tmp_path / "results.csv"
    path.symlink_to("/dev/full")
    with pytest.raises(UsageError, match=r"Cannot write .*: the disk is full"):
        CsvTable(path, resume=False)
