from pathlib import Path

import pytest

from moeclip_cli.inspection.result import COLUMNS, Row
from moeclip_cli.reports.tables.parquet_table import ROWS_PER_GROUP, ParquetTable

parquet = pytest.importorskip("pyarrow.parquet")


def test_the_columns_have_types(tmp_path: Path, scored_row: Row) -> None:
    with ParquetTable(tmp_path / "results.parquet", resume=False) as table:
        table.write([scored_row])
    stored = parquet.read_table(tmp_path / "results.parquet")
    types = {field.name: str(field.type) for field in stored.schema}
    assert (types["path"], types["score"], types["regions"]) == ("string", "double", "int64")
    assert stored.to_pylist() == [vars(scored_row)]


def test_many_rows_are_written_in_groups(tmp_path: Path) -> None:
    count = ROWS_PER_GROUP + 1
    with ParquetTable(tmp_path / "results.parquet", resume=False) as table:
        table.write([Row(path=f"{number}.png", score=0.25) for number in range(count)])
    file = parquet.ParquetFile(tmp_path / "results.parquet")
    assert (file.metadata.num_row_groups, file.metadata.num_rows) == (2, count)


def test_a_finished_table_of_an_earlier_version_is_emptied(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    earlier = {name: None for name in COLUMNS if not name.startswith("peak")} | {"path": "x.png"}
    parquet.write_table(arrow.Table.from_pylist([earlier]), tmp_path / "results.parquet")
    with ParquetTable(tmp_path / "results.parquet", resume=True) as table:
        assert table.outdated
        assert list(table.rows()) == []
