"""Twelve ways to mistype a setting, and what is said about each."""

from __future__ import annotations

from pathlib import Path

import pytest

# The image is missing, so that a command that gets so far ends there.
IMAGE = "missing.png"


def said(result):
    return " ".join(result.stderr.replace("│", " ").split())


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--threshold", "high"), "'--threshold' / '-t': 'high' is not a fraction; write it as 0."),
        (("-t", "0.5x"), "'0.5x' is not a fraction"),
        (("--limit=1,5",), "'--limit': '1,5' is not a whole number."),
        (("--decode-seconds", "long"), "'--decode-seconds': 'long' is not a number."),
        (("--format", "xls"), "'xls' is not one of"),
        (("--treshold", "0.5"), "--threshold"),
    ],
)
def test_a_wrong_value_on_the_command_line(moeclip, args, message):
    result = moeclip("score", IMAGE, *args)
    assert result.exit_code == 2
    assert message in said(result)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            '# one\n[score]\nthreshold = "high"\n',
            "threshold in moeclip.toml, line 3: 'high' is not",
        ),
        (
            '[heatmap]\nlimit = 3\n[score]\nlimit = "x"\n',
            "limit in moeclip.toml, line 4: 'x' is not",
        ),
        (
            'max-pixels = "many"\n',
            "max-pixels in moeclip.toml, line 1: 'many' is not a whole number",
        ),
        ('quiet = "perhaps"\n', "quiet in moeclip.toml, line 1: 'perhaps'"),
        ("batchsize = 3\n", "unknown setting 'batchsize'; did you mean batch-size?"),
        ("[scoring]\nlimit = 3\n", "unknown table [scoring]; did you mean [score]?"),
    ],
)
def test_a_typo_in_a_settings_file(moeclip, content, message):
    Path("moeclip.toml").write_text(content)
    result = moeclip("score", IMAGE)
    assert result.exit_code == 2
    assert message in said(result)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("MOECLIP_LIMIT", "few", "the variable MOECLIP_LIMIT: 'few' is not a whole number."),
        ("MOECLIP_THRESHOLD", "x", "the variable MOECLIP_THRESHOLD: 'x' is not a fraction"),
        ("MOECLIP_TRESHOLD", "0.3", "MOECLIP_TRESHOLD is unknown and has no effect; did you mean "
         "MOECLIP_THRESHOLD?"),
        ("MOECLIP_DEBUGG", "1", "MOECLIP_DEBUGG is unknown and has no effect; its name is not"),
        ("MOECLIP_COLOUR_OF_MY_DOOR", "1", "COLOUR_OF_MY_DOOR is unknown and has no effect; its"),
    ],
)  # fmt: skip
def test_a_typo_in_a_variable(moeclip, monkeypatch, name, value, message):
    monkeypatch.setenv(name, value)
    result = moeclip("score", IMAGE)
    assert result.exit_code == 2
    assert message in said(result)


def test_variables_of_all_commands_are_known(moeclip, monkeypatch):
    for name in ("MOECLIP_DATA", "MOECLIP_TRAIN_DATA", "MOECLIP_ETF_WEIGHT", "MOECLIP_SHEET"):
        monkeypatch.setenv(name, "1")
    assert "unknown" not in said(moeclip("score", IMAGE))


@pytest.mark.parametrize("typed", ["90 %", "0,9", "90%", ".9"])
def test_a_threshold_in_any_spelling_is_applied(moeclip, standin, parts, typed):
    result = moeclip("score", *standin.options, parts, "--limit", "1", "--threshold", typed)
    assert result.exit_code == 0, result.stderr
    assert "Threshold 0.900 (given)" in result.stdout


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (
            ("score", "--limit"),
            "Option '--limit' requires an argument. See 'moeclip score --help'.",
        ),
        (("export",), "Missing argument 'DIR'. See 'moeclip export --help'."),
        (("scores",), "No such command 'scores'."),
        (
            ("score", IMAGE, "--decode-seconds", "x" * 100, "--limit", "x" * 100),
            "Invalid value for '--decode-seconds': ",
        ),
    ],
)
def test_a_log_gets_one_line_for_a_wrong_command_line(moeclip, monkeypatch, args, error):
    monkeypatch.setenv("COLUMNS", "40")
    result = moeclip(*args)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"Error: {error}")
    assert result.stderr.count("\n") == 1
