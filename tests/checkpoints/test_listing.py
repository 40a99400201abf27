from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save
from support.hub_server import HubServer

from moeclip_cli.checkpoints import builtin
from moeclip_cli.checkpoints.hub import fetch
from moeclip_cli.checkpoints.hub_reference import parse_reference
from moeclip_cli.checkpoints.listing import list_models
from moeclip_cli.errors import ModelError


@pytest.fixture
def built_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "moeclip-small.safetensors").write_bytes(b"1")
    (folder / "moeclip-mini.safetensors").write_bytes(b"12345")
    (folder / "moeclip-mini-backbone.safetensors").write_bytes(b"123")
    (folder / "dinov2-vits14.safetensors").write_bytes(b"1234567")
    monkeypatch.setattr(builtin, "FOLDERS", (folder,))
    return folder


def test_built_in_models_come_with_their_backbone(hub: HubServer, built_in: Path) -> None:
    default, model, tower = list_models()
    assert (default.name, default.kind, default.size_bytes) == ("moeclip-small", "built-in", 11)
    assert (model.name, model.kind, model.size_bytes) == ("moeclip-mini", "built-in", 8)
    assert model.path == built_in / "moeclip-mini.safetensors"
    assert (tower.name, tower.kind, tower.size_bytes) == ("dinov2-vits14", "built-in backbone", 7)


def test_only_usable_files_of_the_cache_are_listed(
    hub: HubServer, built_in: Path, authors_file: Path
) -> None:
    tensors = {"a": torch.ones(1)}
    torch.save(tensors, built_in / "other.pth")
    for repo, file, content in [
        ("some/adapters", "own.safetensors", save(tensors, {"moeclip": "{}"})),
        ("some/adapters", "theirs.pth", authors_file.read_bytes()),
        ("some/adapters", "README.md", b"# Adapters"),
        ("some/bert", "model.safetensors", save(tensors)),
        ("some/bert", "damaged.safetensors", b"damaged"),
        ("some/bert", "other.pth", (built_in / "other.pth").read_bytes()),
        ("some/bert", "damaged.pth", b"damaged"),
        ("timm/clip", "open_clip_model.safetensors", save(tensors)),
    ]:
        hub.add(repo, file, content)
    for repo, _, file in list(hub.files):
        fetch(parse_reference(f"hf://{repo}/{file}"))
    assert [(model.name, model.kind) for model in list_models()[3:]] == [
        ("hf://some/adapters/own.safetensors", "checkpoint"),
        ("hf://some/adapters/theirs.pth", "checkpoint"),
        ("hf://timm/clip/open_clip_model.safetensors", "backbone"),
    ]


def test_a_listed_name_can_be_fetched_without_the_hub(
    hub: HubServer, built_in: Path, authors_file: Path
) -> None:
    hub.add("some/adapters", "x.pth", authors_file.read_bytes(), revision="v1")
    fetch(parse_reference("hf://some/adapters@v1"))
    hub.requests.clear()
    (listed,) = list_models()[3:]
    assert fetch(parse_reference(listed.name)) == listed.path
    assert hub.requests == []


def test_an_incomplete_installation_says_so(hub: HubServer, built_in: Path) -> None:
    (built_in / "moeclip-mini-backbone.safetensors").unlink()
    with pytest.raises(ModelError, match="reinstall moeclip"):
        list_models()
