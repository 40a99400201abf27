"""Fixtures that many tests share: a small model in real files, images, the command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

# Before PyTorch is imported. `pytest -n` starts a process per core; more threads than cores slow
# PyTorch down many times over.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import fsspec
import numpy as np
import pytest
import torch
from support.samples import save_image
from support.standins import authors_checkpoint, backbone_state
from support.web_server import WebServer, running_web_server
from typer import testing
from typer.testing import CliRunner

# Shells start background jobs with Ctrl-C ignored, which programs inherit; some tests send it.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# It builds the command anew for each run, which takes longer than many commands do.
testing._get_command = lru_cache(testing._get_command)

pytest_plugins = [
    "support.exports", "support.permissions", "support.raw_images", "support.ray_clusters",
]  # fmt: skip


@dataclass(frozen=True)
class Standin:
    """A small model with random weights in the formats of the real ones."""

    model: Path
    backbone: Path

    @property
    def options(self) -> list[str]:
        """The command-line options that select the model."""
        return [
            "--model", str(self.model), "--backbone-weights", str(self.backbone),
            "--image-size", "70", "--device", "cpu",
        ]  # fmt: skip


@pytest.fixture(scope="session")
def standin(tmp_path_factory) -> Standin:
    folder = tmp_path_factory.mktemp("standin")
    found = Standin(folder / "standin.pth", folder / "backbone.pt")
    torch.save(authors_checkpoint("small"), found.model)
    torch.save(backbone_state("small"), found.backbone)
    return found


@pytest.fixture(scope="session")
def inspector(standin):
    from moeclip_cli import Inspector

    return Inspector.load(
        str(standin.model), backbone_weights=standin.backbone, image_size=70, device="cpu"
    )


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    """Run every test in an empty folder, without the user's settings."""
    for name in [name for name in os.environ if name.startswith("MOECLIP_")]:
        if name != "MOECLIP_GOLDEN":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def parts(tmp_path) -> Path:
    """A folder of five images of different sizes, in two subfolders."""
    folder = tmp_path / "parts"
    for number, name in enumerate(
        ["left/a.png", "left/b.jpg", "right/a.png", "right/c.bmp", "d.png"]
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        save_image(path, seed=number, width=60 + 10 * number, height=80 - 5 * number)
    return folder


@pytest.fixture
def moeclip():
    """Run a command in this process: moeclip("score", ...) -> result."""
    from moeclip_cli.cli.app import app

    runner = CliRunner()

    def run(*args, **kwargs):
        return runner.invoke(app, [str(arg) for arg in args], prog_name="moeclip", **kwargs)

    return run


@pytest.fixture
def start_moeclip():
    """Start a command in a new process: start_moeclip("score", ...) -> process."""
    started = []

    def start(*args, **kwargs):
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | kwargs
        command = [sys.executable, "-m", "moeclip_cli", *map(str, args)]
        env = os.environ | {"OMP_NUM_THREADS": "1"} | options.pop("env", {})
        started.append(subprocess.Popen(command, env=env, **options))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def web() -> Iterator[WebServer]:
    """A web server on loopback."""
    with running_web_server() as server:
        yield server


@pytest.fixture
def memory() -> Iterator[Any]:
    """The object store in memory of fsspec, whose URLs start with memory://."""
    store = fsspec.filesystem("memory")
    yield store
    store.store.clear()
    store.pseudo_dirs[:] = [""]


@pytest.fixture
def picture():
    """(300, 400, 3) uint8, RGB, with different rows, columns and channels."""
    rows, columns = np.mgrid[0:300, 0:400]
    channels = [40 + rows // 4, 60 + columns // 4, 90 + (rows + columns) // 10]
    return np.stack(channels, axis=-1).astype(np.uint8)


@pytest.fixture
def defect():
    """(74, 74) probabilities: a bump of height 0.95 left of the centre, nearly 0 elsewhere."""
    rows, columns = np.mgrid[0:74, 0:74] / 74
    bump = 0.95 * np.exp(-(((rows - 0.5) / 0.1) ** 2 + ((columns - 0.3) / 0.1) ** 2))
    return bump.astype(np.float32)
