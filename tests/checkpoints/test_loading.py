from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from support.hub_server import HubServer
from support.standins import backbone_state
from torch import Tensor

from moeclip_cli.checkpoints import builtin
from moeclip_cli.checkpoints.authors_file import AuthorsOptions
from moeclip_cli.checkpoints.checkpoint import read_checkpoint, write_checkpoint
from moeclip_cli.checkpoints.configuration import BackboneRef, CheckpointConfig
from moeclip_cli.checkpoints.formats import file_digest
from moeclip_cli.checkpoints.loading import find_model, load_model
from moeclip_cli.errors import ModelError, UsageError
from moeclip_cli.model.adapters import Adapters
from moeclip_cli.model.backbones.stem import ConvStem
from moeclip_cli.model.config import NetworkConfig


@pytest.fixture(scope="session")
def own_file(
    tmp_path_factory: pytest.TempPathFactory, authors_file: Path, backbone_file: Path
) -> Path:
    """The stand-in checkpoint in moeclip's format, bound to the stand-in backbone."""
    read = read_checkpoint(authors_file, AuthorsOptions(layers=(2, 4, 6, 8), image_size=70))
    ref = BackboneRef("tiny-clip", digest=file_digest(backbone_file))
    path = tmp_path_factory.mktemp("own") / "own.safetensors"
    write_checkpoint(path, replace(read.config, backbone=ref), read.tensors)
    return path


def map_of(loaded: torch.nn.Module, size: int = 70) -> Tensor:
    images = torch.linspace(-1, 1, 3 * size * size).reshape(1, 3, size, size)
    with torch.inference_mode():
        similarities: Tensor = loaded(images, loaded.encode_text(["object"])[0]).patches
    return similarities


def test_a_file_of_the_authors_with_its_backbone(authors_file: Path, backbone_file: Path) -> None:
    loaded = load_model(str(authors_file), backbone_weights=backbone_file, image_size=70)
    assert loaded.config.network.layers == (2, 4, 6, 8)
    assert loaded.config.network.image_size == 70
    assert loaded.config.backbone == BackboneRef("tiny-clip")
    assert loaded.name == "epoch_1.pth"
    assert loaded.digest == file_digest(authors_file)
    assert loaded.backbone == backbone_file
    assert loaded.network.config == loaded.config.network
    assert not loaded.network.training
    assert map_of(loaded.network).shape == (12, 1, 25, 2)


def test_both_formats_compute_the_same(
    authors_file: Path, own_file: Path, backbone_file: Path
) -> None:
    theirs = load_model(str(authors_file), backbone_weights=backbone_file, image_size=70)
    ours = load_model(str(own_file), backbone_weights=backbone_file)
    assert torch.equal(map_of(ours.network), map_of(theirs.network))
    assert ours.config.backbone.name == "tiny-clip"


def test_options_reach_the_network(authors_file: Path, backbone_file: Path) -> None:
    options = AuthorsOptions(layers=(1, 2, 3, 4), top_k=1, aggregation=False, quick_gelu=True)
    loaded = load_model(
        str(authors_file), backbone_weights=backbone_file, image_size=70, options=options
    )
    assert loaded.config.network.layers == (1, 2, 3, 4)
    assert loaded.network.config.top_k == 1
    assert map_of(loaded.network).shape == (4, 1, 25, 2)


def test_a_reference_is_loaded_from_the_hub(
    hub: HubServer, own_file: Path, backbone_file: Path
) -> None:
    hub.add("someone/adapters", "own.safetensors", own_file.read_bytes())
    loaded = load_model("hf://someone/adapters", backbone_weights=backbone_file)
    assert loaded.name == "hf://someone/adapters"
    assert loaded.digest == file_digest(own_file)
    with pytest.raises(UsageError, match="not of the form"):
        load_model("hf://someone")


def test_the_built_in_model_needs_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builtin, "FOLDERS", (tmp_path,))
    state = {name: tensor.half() for name, tensor in backbone_state().items()}
    del state["visual.conv1.weight"]
    stem = ConvStem(128, edges=8, channels=(16, 32)).state_dict()
    state |= {f"visual.conv1.{name}": tensor.half() for name, tensor in stem.items()}
    save_file(state, tmp_path / "moeclip-mini-backbone.safetensors")
    network = NetworkConfig(layers=(2, 4, 6, 8), rank=2, image_size=96)
    write_checkpoint(
        tmp_path / "moeclip-mini.safetensors",
        CheckpointConfig(network, BackboneRef("moeclip-mini")),
        Adapters(network, 128, 64, 64).state_dict(),
    )
    loaded = load_model("moeclip-mini")
    assert loaded.name == "moeclip-mini"
    assert map_of(loaded.network, 96).shape == (12, 1, 36, 2)


def test_a_backbone_of_other_widths_is_refused(tmp_path: Path, backbone_file: Path) -> None:
    network = NetworkConfig(layers=(2, 4, 6, 8), image_size=70)
    write_checkpoint(
        tmp_path / "wide.safetensors",
        CheckpointConfig(network, BackboneRef("ViT-B-16", "openai")),
        Adapters(network, 768, 512, 512).state_dict(),
    )
    with pytest.raises(ModelError) as raised:
        load_model(str(tmp_path / "wide.safetensors"), backbone_weights=backbone_file)
    sentence = str(raised.value)
    assert f"wide.safetensors does not fit the backbone {backbone_file}" in sentence
    assert (
        "vision width 768, text width 512 and joint dimension 512, not 128, 64 and 64" in sentence
    )
    assert "ViT-B-16 (openai), as `backbone_weights`" in sentence


def test_a_tower_with_too_few_blocks_is_refused(authors_file: Path, backbone_file: Path) -> None:
    with pytest.raises(ModelError, match="adapter after block 9 of a tower with 8 blocks"):
        load_model(
            str(authors_file),
            backbone_weights=backbone_file,
            options=AuthorsOptions(layers=(2, 4, 6, 9)),
        )


def test_nothing_is_downloaded_that_cannot_fit(hub: HubServer, authors_file: Path) -> None:
    with pytest.raises(ModelError, match=r"does not fit the backbone ViT-L-14-336 \(openai\)"):
        load_model(str(authors_file))
    assert hub.requests == []


def test_a_checkpoint_bound_to_another_backbone_file_is_refused(
    tmp_path: Path, own_file: Path
) -> None:
    state = backbone_state()
    state["logit_scale"] = torch.tensor(1.0)
    torch.save(state, tmp_path / "other.pt")
    with pytest.raises(ModelError, match="requires another backbone file"):
        load_model(str(own_file), backbone_weights=tmp_path / "other.pt")


def test_a_size_out_of_range_is_refused_before_anything_is_read() -> None:
    with pytest.raises(ModelError, match="`image_size` must be at least 1 and at most 4096"):
        load_model("not-there", image_size=10**6)


@pytest.mark.parametrize(
    "model",
    ["x" * 100_000, "~nobody-of-that-name/x.pth", "a\0b", "a/" * 9000],
    ids=["long name", "unknown home", "NUL", "long path"],
)
def test_a_name_that_cannot_be_a_path_is_not_found(model: str) -> None:
    with pytest.raises(ModelError, match="not found: it is neither a file") as raised:
        find_model(model)
    assert len(str(raised.value)) < 1000


@pytest.mark.parametrize("size", [71, 56])
def test_an_image_size_that_the_patches_do_not_tile_is_refused(
    own_file: Path, backbone_file: Path, size: int
) -> None:
    with pytest.raises(ModelError, match="multiple of the patch size 14"):
        load_model(str(own_file), backbone_weights=backbone_file, image_size=size)


def test_a_scale_is_checked_too_and_one_size_is_one_scale(
    own_file: Path, backbone_file: Path, tmp_path: Path
) -> None:
    own = read_checkpoint(own_file)
    for name, scales in (("right", (84,)), ("wrong", (84, 71))):
        write_checkpoint(tmp_path / name, replace(own.config, scales=scales), own.tensors)

    loaded = load_model(str(tmp_path / "right"), backbone_weights=backbone_file)
    assert loaded.config.scales == (84,)
    with pytest.raises(ModelError, match="multiple of the patch size 14 .* not 71"):
        load_model(str(tmp_path / "wrong"), backbone_weights=backbone_file)
    single = load_model(str(tmp_path / "wrong"), backbone_weights=backbone_file, image_size=84)
    assert (single.config.network.image_size, single.config.scales) == (84, ())


def test_weights_of_an_unknown_family_are_refused(own_file: Path, tmp_path: Path) -> None:
    torch.save({"conv1.weight": torch.ones(3)}, tmp_path / "resnet.pt")
    unbound = read_checkpoint(own_file)
    config = replace(unbound.config, backbone=BackboneRef("any"))
    write_checkpoint(tmp_path / "unbound", config, unbound.tensors)
    with pytest.raises(ModelError, match="not those of a supported backbone"):
        load_model(str(tmp_path / "unbound"), backbone_weights=tmp_path / "resnet.pt")


def test_a_misspelt_name_gets_suggestions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "visa_epoch_10.pth").write_bytes(b"")
    with pytest.raises(
        ModelError,
        match=r"Model 'moeclip-mni' not found.*Did you mean moeclip-mini, moeclip-small\?",
    ):
        find_model("moeclip-mni")
    with pytest.raises(ModelError, match=r"Did you mean .*visa_epoch_10.pth\?"):
        find_model(str(tmp_path / "visa_epoch10.pth"))
    with pytest.raises(ModelError, match=r"nor a reference hf://owner/repo\.$"):
        find_model(str(tmp_path / "nowhere" / "visa.pth"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=r"Did you mean visa_epoch_10.pth\?"):
        find_model("visa_epoch_1.pth")
