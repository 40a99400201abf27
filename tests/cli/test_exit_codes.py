from __future__ import annotations

import re
from pathlib import Path

import pytest

from moeclip_cli.errors import (
    DatasetError,
    ImageError,
    MissingExtraError,
    ModelError,
    ProcessLostError,
    UsageError,
)
from moeclip_cli.exit_codes import ExitCode

ROOT = Path(__file__).parents[2]
COMMANDS = [
    "score",
    "heatmap",
    "calibrate",
    "train",
    "benchmark",
    "verify",
    "models show",
    "models pull",
    "models convert",
    "export",
    "datasets list",
    "datasets check",
    "datasets synthesize",
    "doctor",
]


def documented():
    """The codes in the tables of exit codes in the README and the documentation."""
    for page in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]:
        sections = re.split(r"^#+ ", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
        for section in sections:
            if section.lower().startswith("exit codes"):
                codes = re.findall(r"^\| *`?(\d+)`? *\|", section, flags=re.MULTILINE)
                if codes:
                    yield page, sorted(map(int, codes))


def test_the_documentation_lists_every_exit_code():
    tables = list(documented())
    assert tables
    for page, codes in tables:
        assert codes == sorted(ExitCode), page


@pytest.mark.parametrize(
    ("code", "args"),
    [
        (ExitCode.DONE, ["parts"]),
        (ExitCode.ANOMALIES_FOUND, ["parts", "broken", "--fail-on-anomaly", "--threshold", "0"]),
        (ExitCode.USAGE, ["parts", "--threshold", "2"]),
        (ExitCode.UNREADABLE_IMAGES, ["parts", "broken", "--fail-on-anomaly", "--threshold", "1"]),
        (
            ExitCode.UNSURE_IMAGES,
            ["parts", "broken", "--fail-on-anomaly", "-t", "1", "--unsure", "0"],
        ),
        (ExitCode.NOT_LOADED, ["parts", "--model", "missing.safetensors"]),
    ],
)
def test_score_ends_with_the_code_of_what_happened(moeclip, standin, parts, code, args):
    """The tests of streams, signals, internal errors and processes provoke the other codes."""
    Path("broken").mkdir()
    Path("broken/image.png").write_bytes(b"not an image")
    assert moeclip("score", *standin.options, *args).exit_code == code


def test_errors_have_the_codes_of_their_kind():
    assert UsageError.exit_code == MissingExtraError.exit_code == ExitCode.USAGE
    assert ModelError.exit_code == DatasetError.exit_code == ExitCode.NOT_LOADED
    assert ImageError.exit_code == ExitCode.UNREADABLE_IMAGES
    assert ProcessLostError.exit_code == ExitCode.PROCESS_LOST


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_lists_exit_codes(moeclip, command):
    help_text = moeclip(*command.split(), "--help").stdout
    sentence = help_text.partition("Exit codes:")[2].partition("Example:")[0]
    codes = [int(code) for code in re.findall(r"(?:^|,) *(\d+) ", " ".join(sentence.split()))]
    assert codes[0] == ExitCode.DONE
    assert codes == sorted(codes)
    assert set(codes) <= set(ExitCode)
