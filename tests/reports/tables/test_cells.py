import numpy as np
import pytest

from moeclip_cli.inspection.result import COLUMNS, Row
from moeclip_cli.reports.tables.cells import COLUMN_TYPES, cells, compact, readable


def test_every_column_has_a_type() -> None:
    assert tuple(COLUMN_TYPES) == COLUMNS
    assert [COLUMN_TYPES[name] for name in ("path", "score", "x0")] == [str, float, int]


@pytest.mark.parametrize("value", [0.1, 1 / 3, 0.99999994, 1e-9, -617.123, 0.0])
def test_a_compact_number_is_short_and_the_same_float32(value: float) -> None:
    exact = float(np.float32(value))
    written = repr(compact(exact))
    assert np.float32(float(written)) == np.float32(exact)
    assert len(written) <= 16


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_not_finite_is_empty(value: float) -> None:
    assert compact(value) is None


def test_cells_are_in_column_order(scored_row: Row) -> None:
    assert cells(scored_row) == vars(scored_row)
    assert tuple(cells(scored_row)) == COLUMNS


def test_readable_text_is_valid_unicode() -> None:
    assert readable("ü\udcff") == "ü\\udcff"
