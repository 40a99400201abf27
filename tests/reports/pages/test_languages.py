from __future__ import annotations

import re
from dataclasses import asdict

from moeclip_cli.reports.pages.german import GERMAN
from moeclip_cli.reports.pages.languages import ENGLISH


def test_texts_take_the_same_values_in_both_languages() -> None:
    german = asdict(GERMAN)
    for name, text in asdict(ENGLISH).items():
        assert sorted(re.findall(r"{\w*}", text)) == sorted(re.findall(r"{\w*}", german[name])), (
            name
        )


def test_numbers_are_written_as_in_the_language() -> None:
    assert ENGLISH.count(1234567) == "1,234,567"
    assert GERMAN.count(1234567) == "1.234.567"
    assert ENGLISH.percent(0.1234, 2) == "12.34 %"
    assert GERMAN.percent(0.1234, 2) == "12,34 %"
    assert GERMAN.verdict_name("anomalous") == "auffällig"
