from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save, save_file
from support.hub_server import HubServer
from support.standins import ModuleTree, authors_checkpoint, backbone_state, save_torchscript
from torch import Tensor

from moeclip_cli.checkpoints import builtin
from moeclip_cli.checkpoints.backbones import (
    check_tag,
    default_tag,
    fetch_pretrained,
    find_backbone,
    read_backbone,
)
from moeclip_cli.checkpoints.configuration import BackboneRef
from moeclip_cli.checkpoints.formats import file_digest
from moeclip_cli.errors import ModelError

STATE = {
    "visual.conv1.weight": torch.ones(2, 3, 4, 4).half(),
    "ln_final.bias": torch.arange(2.0),
    "logit_scale": torch.tensor(4.6),
}
BOOKKEEPING = {
    "input_resolution": torch.tensor(336),
    "context_length": torch.tensor(77),
    "vocab_size": torch.tensor(49408),
}


def same(read: dict[str, Tensor], expected: dict[str, Tensor] = STATE) -> bool:
    return read.keys() == expected.keys() and all(
        torch.equal(read[name], expected[name]) for name in expected
    )


def test_openai_state_dicts_are_read_without_bookkeeping(tmp_path: Path) -> None:
    torch.save({**STATE, **BOOKKEEPING}, tmp_path / "x.pt")
    assert same(read_backbone(tmp_path / "x.pt"))


def test_openai_archives_are_read_without_bookkeeping(tmp_path: Path) -> None:
    save_torchscript(ModuleTree({**STATE, **BOOKKEEPING}), tmp_path / "x.pt")
    assert same(read_backbone(tmp_path / "x.pt"))


def test_an_archive_of_a_clip_is_the_state_dict_it_was_made_of(tmp_path: Path) -> None:
    everything = backbone_state().items()
    state = {name: tensor for name, tensor in everything if not re.search(r"blocks\.[1-9]", name)}
    save_torchscript(ModuleTree(state), tmp_path / "x.pt")
    assert same(read_backbone(tmp_path / "x.pt"), state)


def test_open_clip_training_checkpoints_are_unwrapped(tmp_path: Path) -> None:
    nested = {f"module.{name}": tensor for name, tensor in STATE.items()}
    content = {"epoch": 3, "name": "run", "state_dict": nested, "optimizer": {"state": {}}}
    torch.save(content, tmp_path / "x.pt")
    assert same(read_backbone(tmp_path / "x.pt"))


def test_safetensors_are_read(tmp_path: Path) -> None:
    save_file({**STATE, **BOOKKEEPING}, tmp_path / "x")
    assert same(read_backbone(tmp_path / "x"))


def test_an_infinite_mask_is_dropped_and_an_infinite_weight_refused(tmp_path: Path) -> None:
    mask = torch.full((2, 2), float("-inf"))
    torch.save({**STATE, "attn_mask": mask}, tmp_path / "x.pt")
    assert same(read_backbone(tmp_path / "x.pt"))
    torch.save({**STATE, "visual.proj": mask}, tmp_path / "x.pt")
    with pytest.raises(ModelError, match=r"'visual.proj' in .*x\.pt contains NaN or infinite"):
        read_backbone(tmp_path / "x.pt")


def test_a_checkpoint_is_not_taken_for_a_backbone(tmp_path: Path) -> None:
    torch.save(authors_checkpoint(), tmp_path / "x.pth")
    with pytest.raises(ModelError, match="give the weights of its CLIP"):
        read_backbone(tmp_path / "x.pth")
    save_file(STATE, tmp_path / "x", {"moeclip": "{}"})
    with pytest.raises(ModelError, match="give the weights of its CLIP"):
        read_backbone(tmp_path / "x")
    torch.save({"state_dict": [1]}, tmp_path / "x.pt")
    with pytest.raises(ModelError, match="'state_dict' .* not a dictionary"):
        read_backbone(tmp_path / "x.pt")


def test_a_given_file_wins(tmp_path: Path) -> None:
    given = tmp_path / "x.pt"
    given.write_bytes(b"anything")
    assert find_backbone(BackboneRef("ViT-L-14-336", "openai"), given, "m") == given


def test_a_backbone_of_the_users_own_has_to_be_given() -> None:
    with pytest.raises(ModelError, match="m requires the backbone 'mine'.*`backbone_weights`"):
        find_backbone(BackboneRef("mine"), None, "m")


def test_a_digest_is_compared_with_the_file(tmp_path: Path) -> None:
    given = tmp_path / "x.pt"
    given.write_bytes(b"anything")
    exact = BackboneRef("mine", digest=file_digest(given))
    assert find_backbone(exact, given, "m") == given
    with pytest.raises(ModelError, match="m requires another backbone file than .*x.pt"):
        find_backbone(BackboneRef("mine", digest="0" * 64), given, "m")


def test_the_earlier_digest_of_a_built_in_backbone_is_that_of_the_present_one() -> None:
    path = builtin.builtin_file(builtin.BUILTIN_BACKBONES["moeclip-mini"])
    (earlier,) = (k for k, v in builtin.EARLIER_DIGESTS.items() if v == file_digest(path))
    assert find_backbone(BackboneRef("moeclip-mini", digest=earlier), None, "m") == path


def test_the_built_in_backbone_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builtin, "FOLDERS", (tmp_path,))
    path = tmp_path / "moeclip-mini-backbone.safetensors"
    path.write_bytes(b"anything")
    assert find_backbone(BackboneRef("moeclip-mini"), None, "m") == path


REPO = "timm/vit_base_patch32_clip_224.openai"


def test_a_tag_is_fetched_from_the_repository_that_open_clip_names(hub: HubServer) -> None:
    hub.add(REPO, "open_clip_pytorch_model.bin", b"old format")
    hub.add(REPO, "open_clip_model.safetensors", save(STATE))
    path = find_backbone(BackboneRef("ViT-B-32", "openai"), None, "m")
    assert path.name == "open_clip_model.safetensors"
    assert same(read_backbone(path))


def test_a_repository_without_safetensors_is_used_too(hub: HubServer) -> None:
    hub.add(REPO, "open_clip_pytorch_model.bin", b"old format")
    assert fetch_pretrained("ViT-B-32", "openai").read_bytes() == b"old format"


def test_a_downloaded_backbone_needs_no_network(
    hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add(REPO, "open_clip_model.safetensors", b"weights")
    first = fetch_pretrained("ViT-B-32", "openai")
    hub.requests.clear()
    assert fetch_pretrained("ViT-B-32", "openai") == first
    assert hub.requests == []


def test_a_failed_fetch_names_the_parameter_that_takes_a_file(hub: HubServer) -> None:
    with pytest.raises(ModelError, match="Repository timm/vit_base.* not found"):
        fetch_pretrained("ViT-B-32", "openai")
    hub.add(REPO, "open_clip_model.safetensors", b"weights" * 1000)
    hub.broken["open_clip_model.safetensors"] = 0
    advice = r"\(HTTP 503\).*/main/open_clip_model.safetensors .*path as `backbone_weights`\.$"
    with pytest.raises(ModelError, match=advice):
        fetch_pretrained("ViT-B-32", "openai")


def test_unknown_tags_are_answered_with_the_known_ones() -> None:
    with pytest.raises(ModelError, match="no weights 'opanai' of 'ViT-L-14-336'; it has openai"):
        check_tag("ViT-L-14-336", "opanai")
    with pytest.raises(ModelError, match="none for that model"):
        check_tag("ViT-XXL", "openai")


def test_the_default_tag_is_openai_or_the_only_one() -> None:
    assert default_tag("ViT-L-14") == "openai"
    assert default_tag("ViT-B-32-256") == "datacomp_s34b_b86k"
    with pytest.raises(ModelError, match=r"several weights of 'ViT-H-14'.*laion2b_s32b_b79k"):
        default_tag("ViT-H-14")
    with pytest.raises(ModelError, match="no weights of 'ViT-XXL'"):
        default_tag("ViT-XXL")
