import json
import os
import sys
from pathlib import Path

import pytest

from moeclip_cli.errors import MissingExtraError, UsageError
from moeclip_cli.inspection.result import COLUMNS, Row
from moeclip_cli.reports.tables.parquet_table import ROWS_PER_GROUP, ParquetTable

SPOOL = "results.parquet.part.jsonl"


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_a_closed_table_has_typed_columns_and_no_spool(tmp_path: Path, scored_row: Row) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    with ParquetTable(tmp_path / "results.parquet", resume=False) as table:
        table.write([scored_row, Row(path=os.fsdecode(b"caf\xe9.png"), error="broken")])
        assert names(tmp_path) == [SPOOL]
    assert names(tmp_path) == ["results.parquet"]
    stored = parquet.read_table(tmp_path / "results.parquet")
    assert tuple(stored.column_names) == COLUMNS
    types = {field.name: str(field.type) for field in stored.schema}
    assert (types["path"], types["score"], types["regions"]) == ("string", "double", "int64")
    first, second = stored.to_pylist()
    assert first == vars(scored_row)
    assert (second["path"], second["score"]) == ("caf\\udce9.png", None)


def test_a_table_without_rows_has_a_schema(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    ParquetTable(tmp_path / "results.parquet", resume=False).close()
    stored = parquet.read_table(tmp_path / "results.parquet")
    assert tuple(stored.column_names) == COLUMNS
    assert stored.num_rows == 0


def test_many_rows_are_written_in_groups(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    count = ROWS_PER_GROUP + 1
    with ParquetTable(tmp_path / "results.parquet", resume=False) as table:
        table.write([Row(path=f"{number}.png", score=0.25) for number in range(count)])
    file = parquet.ParquetFile(tmp_path / "results.parquet")
    assert (file.metadata.num_row_groups, file.metadata.num_rows) == (2, count)


def test_a_finished_file_is_resumed(tmp_path: Path, scored_row: Row) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "results.parquet"
    later = Row(path="later.png", error="broken")
    with ParquetTable(path, resume=False) as table:
        table.write([scored_row])
    with ParquetTable(path, resume=True) as table:
        assert list(table.rows()) == [scored_row]
        table.write([later])
    assert list(table.rows()) == [scored_row, later]


@pytest.mark.parametrize("finished", [True, False])
def test_rows_of_an_earlier_version_are_removed(tmp_path: Path, finished: bool) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    earlier = {name: None for name in COLUMNS if not name.startswith("peak")} | {"path": "x.png"}
    if finished:
        parquet.write_table(arrow.Table.from_pylist([earlier]), tmp_path / "results.parquet")
    else:
        (tmp_path / SPOOL).write_text(json.dumps(earlier) + "\n")
    with ParquetTable(tmp_path / "results.parquet", resume=True) as table:
        assert table.outdated
        assert list(table.rows()) == []
        table.write([Row(path="new.png")])
    assert [row.path for row in table.rows()] == ["new.png"]


def test_a_killed_run_is_resumed_from_its_spool(tmp_path: Path, scored_row: Row) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "results.parquet"
    ParquetTable(path, resume=False).write([scored_row])
    with (tmp_path / SPOOL).open("a") as spool:
        spool.write('{"path": "torn')
    with ParquetTable(path, resume=True) as table:
        table.write([Row(path="later.png")])
    assert [row.path for row in table.rows()] == [scored_row.path, "later.png"]
    assert names(tmp_path) == ["results.parquet"]


def test_without_resume_the_file_and_its_spool_are_replaced(
    tmp_path: Path, scored_row: Row
) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "results.parquet"
    with ParquetTable(path, resume=False) as table:
        table.write([scored_row])
    table = ParquetTable(path, resume=False)
    assert names(tmp_path) == [SPOOL]
    assert list(table.rows()) == []
    table.close()


def test_another_file_is_rejected_and_unchanged(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "results.parquet"
    path.write_bytes(b"not a Parquet file, but long enough for a footer")
    with pytest.raises(UsageError, match=r"results\.parquet is not a results table"):
        ParquetTable(path, resume=True)
    assert names(tmp_path) == ["results.parquet"]


def test_without_pyarrow_the_error_contains_the_install_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(MissingExtraError, match=r'pip install "moeclip\[parquet\]"'):
        ParquetTable(tmp_path / "results.parquet", resume=False)
    assert names(tmp_path) == []
