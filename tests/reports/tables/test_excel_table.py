import csv
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from moeclip_cli.errors import UsageError
from moeclip_cli.inspection.result import COLUMNS, Row
from moeclip_cli.reports.tables import excel_table
from moeclip_cli.reports.tables.csv_table import CsvTable, GermanExcelCsvTable
from moeclip_cli.reports.tables.excel_table import ExcelTable

openpyxl = pytest.importorskip("openpyxl")

UMLAUTS = "Prüfstück/Größe 7 µm.png"


def write(path: Path, rows: list[Row]) -> Path:
    with ExcelTable(path, resume=False) as table:
        table.write(rows)
    return path


def test_numbers_are_numbers_and_text_is_never_a_formula(tmp_path: Path, scored_row: Row) -> None:
    row = replace(scored_row, path="=1+1", prompt="ESC \x1b")
    book = openpyxl.load_workbook(write(tmp_path / "results.xlsx", [row]))
    head, cells = book["results"].iter_rows()
    assert tuple(cell.value for cell in head) == COLUMNS
    found = {cell.value: below for cell, below in zip(head, cells, strict=True)}
    assert (found["path"].value, found["path"].data_type) == ("=1+1", "s")
    assert (found["score"].value, found["score"].data_type) == (scored_row.score, "n")
    assert found["prompt"].value == "ESC \\x1b"
    assert found["error"].value is None
    assert list(ExcelTable.read(tmp_path / "results.xlsx")) == [row]


def test_rows_go_on_on_the_next_sheet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(excel_table, "ROWS_PER_SHEET", 3)
    rows = [Row(path=f"{number}.png", score=0.25) for number in range(5)]
    path = write(tmp_path / "results.xlsx", rows)
    book = openpyxl.load_workbook(path)
    assert [(sheet.title, sheet.max_row) for sheet in book] == [
        ("results", 3),
        ("results 2", 3),
        ("results 3", 2),
    ]
    assert list(ExcelTable.read(path)) == rows


def test_a_workbook_of_something_else_is_rejected(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["part", "inspector"])
    book.save(tmp_path / "results.xlsx")
    with pytest.raises(UsageError, match="not a results table"):
        ExcelTable(tmp_path / "results.xlsx", resume=True)


# LibreOffice as another reader than the libraries that wrote the files. German, because there a
# decimal point makes a date or text of a number.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("table_type", "name", "reading"),
    [
        (ExcelTable, "results.xlsx", ""),
        (GermanExcelCsvTable, "results.csv", "59,34,UTF8,1,,1031,false,true"),
    ],
)
def test_libreoffice_reads_umlauts_and_decimals(
    table_type: type[ExcelTable] | type[CsvTable],
    name: str,
    reading: str,
    tmp_path: Path,
    scored_row: Row,
) -> None:
    office = shutil.which("soffice")
    if office is None:
        pytest.skip("LibreOffice is not installed")
    with table_type(tmp_path / name, resume=False) as table:
        table.write([replace(scored_row, path=UMLAUTS)])
    command = [
        office,
        f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}",
        "--headless",
        *([f"--infilter=Text - txt - csv (StarCalc):{reading}"] if reading else []),
        *("--convert-to", "csv:Text - txt - csv (StarCalc):44,34,UTF8,1,,1033,false,false"),
        *("--outdir", str(tmp_path / "converted")),
        str(tmp_path / name),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    with (tmp_path / "converted" / "results.csv").open(encoding="utf-8") as stream:
        (record,) = csv.DictReader(stream)
    assert record["path"] == UMLAUTS
    assert float(record["score"]) == scored_row.score
    assert float(record["map_max"]) == scored_row.map_max
    assert int(record["width"]) == scored_row.width
