import json
import os
import sys
from pathlib import Path

import pytest

from moeclip_cli.errors import MissingExtraError, UsageError
from moeclip_cli.inspection.result import COLUMNS, Row
from moeclip_cli.reports.tables.excel_table import ExcelTable
from moeclip_cli.reports.tables.parquet_table import ParquetTable
from moeclip_cli.reports.tables.spooled_table import SpooledTable

TABLES = [(ParquetTable, "results.parquet"), (ExcelTable, "results.xlsx")]


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


@pytest.fixture(params=TABLES, ids=["parquet", "excel"])
def table_of(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[type[SpooledTable], Path]:
    table, name = request.param
    pytest.importorskip(table.module)
    return table, tmp_path / name


def spool_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.part.jsonl")


def test_a_finished_file_has_the_rows_and_no_spool(
    table_of: tuple[type[SpooledTable], Path], scored_row: Row
) -> None:
    table_type, path = table_of
    with table_type(path, resume=False) as table:
        table.write([scored_row, Row(path=os.fsdecode(b"caf\xe9.png"), error="broken")])
        assert names(path.parent) == [spool_of(path).name]
    assert names(path.parent) == [path.name]
    assert list(table_type.read(path)) == [
        scored_row,
        Row(path="caf\\udce9.png", error="broken"),
    ]


def test_a_table_without_rows_has_its_columns(table_of: tuple[type[SpooledTable], Path]) -> None:
    table_type, path = table_of
    table_type(path, resume=False).close()
    assert tuple(table_type.columns(path)) == COLUMNS
    assert list(table_type.read(path)) == []


def test_a_finished_file_is_resumed(
    table_of: tuple[type[SpooledTable], Path], scored_row: Row
) -> None:
    table_type, path = table_of
    later = Row(path="later.png", error="broken")
    with table_type(path, resume=False) as table:
        table.write([scored_row])
    with table_type(path, resume=True) as table:
        assert list(table.rows()) == [scored_row]
        table.write([later])
    assert list(table.rows()) == [scored_row, later]


def test_an_unfinished_table_of_an_earlier_version_is_emptied(
    table_of: tuple[type[SpooledTable], Path],
) -> None:
    table_type, path = table_of
    earlier = {name: None for name in COLUMNS if not name.startswith("peak")} | {"path": "x.png"}
    spool_of(path).write_text(json.dumps(earlier) + "\n")
    with table_type(path, resume=True) as table:
        assert table.outdated
        assert list(table.rows()) == []
        table.write([Row(path="new.png")])
    assert [row.path for row in table.rows()] == ["new.png"]


def test_a_killed_run_is_resumed_from_its_spool(
    table_of: tuple[type[SpooledTable], Path], scored_row: Row
) -> None:
    table_type, path = table_of
    table_type(path, resume=False).write([scored_row])
    with spool_of(path).open("a") as spool:
        spool.write('{"path": "torn')
    with table_type(path, resume=True) as table:
        table.write([Row(path="later.png")])
    assert [row.path for row in table.rows()] == [scored_row.path, "later.png"]
    assert names(path.parent) == [path.name]


def test_without_resume_the_file_and_its_spool_are_replaced(
    table_of: tuple[type[SpooledTable], Path], scored_row: Row
) -> None:
    table_type, path = table_of
    with table_type(path, resume=False) as table:
        table.write([scored_row])
    table = table_type(path, resume=False)
    assert names(path.parent) == [spool_of(path).name]
    assert list(table.rows()) == []
    table.close()


def test_another_file_is_rejected_and_unchanged(table_of: tuple[type[SpooledTable], Path]) -> None:
    table_type, path = table_of
    content = b"neither Parquet nor a workbook, but long enough for a footer"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=rf"{path.name} is not a results table"):
        table_type(path, resume=True)
    assert path.read_bytes() == content


@pytest.mark.parametrize(("table_type", "name"), TABLES)
def test_without_the_package_the_error_contains_the_install_command(
    table_type: type[SpooledTable], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, table_type.module, None)
    with pytest.raises(MissingExtraError, match=rf'pip install "moeclip\[{table_type.extra}\]"'):
        table_type(tmp_path / name, resume=False)
    assert names(tmp_path) == []
