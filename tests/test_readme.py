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


def commands() -> list[str]:
    """What stands behind the prompts of the README's console blocks."""
    blocks = re.findall(r"```console\n(.*?)```", README, flags=re.DOTALL)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "examples", folder / "examples")
    return folder


def run(command, folder):
    scripts = Path(sys.executable).parent
    env = os.environ | {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        cwd=folder, env=env, capture_output=True, text=True,
    )  # fmt: skip


@pytest.mark.slow
def test_every_command_of_the_readme_works(folder):
    assert len(commands()) > 10
    for command in commands():
        done = run(command, folder)
        assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr


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
