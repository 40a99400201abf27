"""Every command in the README runs, in order, in one folder, with the built-in model."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def examples() -> list[tuple[str, list[str]]]:
    """Commands of the README's console blocks and the lines that are shown below each."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"```console\n(.*?)```", README, flags=re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return found


def alike(shown: str, printed: str) -> bool:
    """Whether two lines have the same words and about the same numbers.

    Processors round differently, which the last digits show.
    """
    ours, theirs = (re.split(r"(-?\d+\.\d+)", line.rstrip()) for line in (shown, printed))
    return len(ours) == len(theirs) and all(
        one == other or (index % 2 == 1 and float(one) == pytest.approx(float(other), 0.02, 0.02))
        for index, (one, other) in enumerate(zip(ours, theirs, strict=True))
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "examples", folder / "examples")
    return folder


def run(command, folder):
    scripts = Path(sys.executable).parent
    path = f"{scripts}{os.pathsep}{os.environ['PATH']}"
    env = os.environ | {"PATH": path, "OMP_NUM_THREADS": "2"}
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        cwd=folder, env=env, capture_output=True, text=True,
    )  # fmt: skip


@pytest.mark.slow
def test_every_command_of_the_readme_prints_what_it_shows(folder):
    assert len(examples()) > 10
    for command, shown in examples():
        done = run(command, folder)
        assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
        printed = done.stdout.splitlines()
        same = len(printed) == len(shown) and all(map(alike, shown, printed))
        assert same, f"$ {command}\n{done.stdout}"


@pytest.mark.slow
def test_the_python_snippet_works(folder):
    snippet = re.search(r"```python\n(.*?)```", README, flags=re.DOTALL)[1]
    shutil.copy(folder / "examples" / "images" / "gravel" / "good_01.png", folder / "part.png")
    script = folder / "snippet.py"
    script.write_text(snippet, encoding="utf-8")
    done = run("python snippet.py", folder)
    assert done.returncode == 0, done.stderr
    assert "normal" in done.stdout or "anomalous" in done.stdout


def test_the_settings_of_the_readme_are_settings(moeclip, standin, parts):
    settings = re.search(r"```toml\n(.*?)```", README, flags=re.DOTALL)[1]
    Path("moeclip.toml").write_text(settings, encoding="utf-8")
    result = moeclip("score", "parts", *standin.options)
    assert result.exit_code == 0, result.stderr
    assert Path("moeclip-out/heatmaps").is_dir()


def test_files_that_the_readme_links_to_exist():
    for target in re.findall(r"\]\((?!http|#)([^)]+)\)", README):
        assert (ROOT / target).exists(), target
