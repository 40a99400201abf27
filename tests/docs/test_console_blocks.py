"""Every command in the README and in docs/ runs and prints what its page shows.

The blocks of a page are taken in order, in one folder that holds examples/, with the built-in
model:

- a `console` block has commands after `$` and below each the lines that it prints;
- a `python` or `toml` block that starts with a comment such as `# moeclip.toml` is saved under that
  name; a Python block without one is run.

Other blocks (`sh`, `text`, indented lines) are not run: they show what needs a GPU, a download or
the paper's datasets.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_BLOCK = re.compile(r"^```(console|python|toml)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_NAME = re.compile(r"# ([\w-]+\.\w+)\n")
_SNIPPET = "snippet.py"


@dataclass
class Step:
    """A command with the lines shown below it, or a file to save before the next command.

    Attributes:
        command: what to run, if anything.
        shown: what it prints; None where the page does not say.
        file: name and content of what to save, if anything.
    """

    command: str | None = None
    shown: list[str] | None = None
    file: tuple[str, str] | None = None


def steps(page: Path) -> list[Step]:
    """The commands and files of a page, in order."""
    found: list[Step] = []
    for kind, content in _BLOCK.findall(page.read_text(encoding="utf-8")):
        if kind == "console":
            found += _commands(content)
            continue
        name = _NAME.match(content)
        found.append(Step(file=(name[1] if name else _SNIPPET, content)))
        if name is None:
            assert kind == "python", f"{page}: a {kind} block needs a comment with its file name"
            found.append(Step(command=f"python {_SNIPPET}"))
    return found


def _commands(block: str) -> list[Step]:
    found: list[Step] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append(Step(command=line[2:], shown=[]))
        else:
            found[-1].shown.append(line)
    return found


RUN = {str(page.relative_to(ROOT)): page for page in PAGES if steps(page)}


def alike(shown: str, printed: str) -> bool:
    """Whether two lines have the same words and about the same numbers.

    Processors round differently, which the last digits show.
    """
    ours, theirs = (re.split(r"(-?\d+[.,]\d+)", line.rstrip()) for line in (shown, printed))

    def near(one: str, other: str) -> bool:
        ours, theirs = (float(number.replace(",", ".")) for number in (one, other))
        return ours == pytest.approx(theirs, 0.02, 0.02)

    return len(ours) == len(theirs) and all(
        one == other or (index % 2 == 1 and near(one, other))
        for index, (one, other) in enumerate(zip(ours, theirs, strict=True))
    )


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    scripts = Path(sys.executable).parent
    path = f"{scripts}{os.pathsep}{os.environ['PATH']}"
    env = os.environ | {"PATH": path, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        cwd=folder, env=env, capture_output=True, text=True,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN)
def test_every_command_of_a_page_prints_what_the_page_shows(page, tmp_path):
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    for step in steps(RUN[page]):
        if step.file is not None:
            name, content = step.file
            (tmp_path / name).write_text(content, encoding="utf-8")
            continue
        done = run(step.command, tmp_path)
        assert done.returncode == 0, f"$ {step.command}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
        if step.shown is None:
            continue
        printed = done.stdout.splitlines()
        same = len(printed) == len(step.shown) and all(map(alike, step.shown, printed))
        assert same, f"$ {step.command}\n{done.stdout}"


def test_the_guides_are_among_the_pages_that_run():
    guides = [page for page in RUN if page.startswith("docs/guides/")]
    assert "README.md" in RUN
    assert len(guides) > 5
    assert sum(len(steps(page)) for page in RUN.values()) > 25


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("0.792  anomalous  a.png", "0.791  anomalous  a.png", True),
        ("0.792  anomalous  a.png", "0.750  anomalous  a.png", False),
        ("0.792  anomalous  a.png", "0.792  normal  a.png", False),
        ("18 images", "17 images", False),
    ],
)
def test_only_the_last_digits_of_a_number_may_differ(shown, printed, same):
    assert alike(shown, printed) is same


@pytest.mark.parametrize(
    "page",
    [*ROOT.glob("*.md"), *ROOT.glob("*/README.md")],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_files_that_a_page_outside_docs_links_to_exist(page):
    for target in re.findall(r"\]\((?!http|#|mailto:)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
