from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from support.hub_server import HubServer, running_hub
from support.standins import authors_checkpoint, backbone_state


@pytest.fixture(scope="session")
def backbone_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small stand-in CLIP as a state dict in OpenAI's format."""
    path = tmp_path_factory.mktemp("backbone") / "tiny-clip.pt"
    torch.save(backbone_state(), path)
    return path


@pytest.fixture(scope="session")
def authors_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small stand-in checkpoint as the authors' code saves it."""
    path = tmp_path_factory.mktemp("authors") / "epoch_1.pth"
    torch.save(authors_checkpoint(), path)
    return path


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    """An empty hub on loopback that this process's client uses, with an empty cache."""
    with running_hub() as server:
        server.use(monkeypatch, tmp_path / "hub-cache")
        yield server
