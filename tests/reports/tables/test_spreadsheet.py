import pytest

from moeclip_cli.reports.tables.spreadsheet import escape_formula, unescape_formula


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@sum", "\tx", "\rx", "'=x", "''=x"])
def test_a_formula_gets_an_apostrophe_and_reads_back(text: str) -> None:
    assert escape_formula(text) == f"'{text}"
    assert unescape_formula(f"'{text}") == text


@pytest.mark.parametrize("cell", ["", "a=b", "'quoted'", " =x", -3.5, None])
def test_other_cells_are_unchanged(cell: object) -> None:
    assert escape_formula(cell) == cell
    assert unescape_formula(str(cell)) == str(cell)
