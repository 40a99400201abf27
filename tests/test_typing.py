"""What a user's type checker makes of the installed package."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

USER = """
from pathlib import Path

from moeclip_cli import Inspector, ModelError, Profile, Region, Result


def first(inspector: Inspector) -> Result:
    return next(inspector.score("a.png"))


def largest(result: Result) -> Region | None:
    return result.regions[0] if result.regions else None


try:
    reveal_type(first(Inspector.load(profile=Profile.load(Path("p.json")))).score)
    largest("not a result")
except ModelError as error:
    reveal_type(error.exit_code)
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> list[str]:
    """What `mypy --strict` prints about two programs outside the repository and its settings."""
    pytest.importorskip("mypy")
    folder = tmp_path_factory.mktemp("user")
    shutil.copy(ROOT / "examples" / "score_folder.py", folder)
    (folder / "user.py").write_text(USER, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "."]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert not done.stderr
    return done.stdout.splitlines()


@pytest.mark.slow
def test_the_example_is_clean_in_strict_mode(report):
    assert report[-1] == "Found 1 error in 1 file (checked 2 source files)"
    assert not [line for line in report if line.startswith("score_folder.py")]


@pytest.mark.slow
def test_public_names_have_types_although_they_are_imported_lazily(report):
    of_score, wrong, of_code = (line.partition(": ")[2] for line in report[:-1])
    assert of_score == 'note: Revealed type is "float | None"'
    assert wrong.startswith('error: Argument 1 to "largest" has incompatible type "str"')
    assert of_code == 'note: Revealed type is "moeclip_cli.exit_codes.ExitCode"'
