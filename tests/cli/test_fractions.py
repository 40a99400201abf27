from __future__ import annotations

import pytest

from moeclip_cli.cli.fractions import fraction


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("0.6", 0.6), ("0,6", 0.6), ("60%", 0.6), ("60 %", 0.6), (" 60 % ", 0.6), (",5", 0.5),
        ("1", 1.0), ("0.5%", 0.005), ("0,5 %", 0.005), ("-1", -1.0), (0.25, 0.25), (1, 1.0),
    ],
)  # fmt: skip
def test_fractions_as_people_type_them(typed, value):
    assert fraction(typed) == pytest.approx(value, abs=1e-15)


@pytest.mark.parametrize("typed", ["high", "", "%", "0.5.5", "1,000,0", "nan", "5%%", True, None])
def test_anything_else_is_answered_with_the_right_form(typed):
    with pytest.raises(ValueError, match="is not a fraction; write it as 0.05 or 5%"):
        fraction(typed)
