from pathlib import Path

import pytest

from moeclip_cli.errors import UsageError
from moeclip_cli.inspection.result import Row
from moeclip_cli.reports.tables.results_table import TableFormat, open_table, table_path


@pytest.mark.parametrize("table_format", ["csv", "jsonl", "parquet"])
def test_every_format_reads_back_the_same_rows(
    tmp_path: Path, table_format: TableFormat, scored_row: Row
) -> None:
    if table_format == "parquet":
        pytest.importorskip("pyarrow")
    rows = [scored_row, Row(path="=x.png", prompt="p", model="m", error="broken")]
    for row in rows:
        with open_table(tmp_path, table_format, resume=True) as table:
            table.write([row])
    assert table.path == table_path(tmp_path, table_format)
    assert table.path.name == f"results.{table_format}"
    assert list(table.rows()) == rows


def test_an_unknown_format_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match='"ods". Choose csv, .*, jsonl, parquet, xlsx'):
        open_table(tmp_path, "ods", resume=False)  # type: ignore[arg-type]


def test_a_folder_that_is_a_file_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(UsageError, match=r"Cannot write .*a file, not a folder"):
        open_table(tmp_path / "out", "csv", resume=False)
