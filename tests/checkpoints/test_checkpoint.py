from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from support.standins import ModuleTree, authors_checkpoint, backbone_state, save_torchscript
from torch import Tensor

from moeclip_cli.checkpoints.authors_file import AuthorsOptions
from moeclip_cli.checkpoints.checkpoint import read_checkpoint, write_checkpoint
from moeclip_cli.checkpoints.configuration import BackboneRef, CheckpointConfig, Threshold
from moeclip_cli.errors import ModelError
from moeclip_cli.model.adapters import Adapters
from moeclip_cli.model.config import NetworkConfig

NETWORK = NetworkConfig(layers=(2, 4), rank=3, experts=2, top_k=1, image_size=112)
CONFIG = CheckpointConfig(
    NETWORK, BackboneRef("tiny"), "medical", Threshold(0.4, "a guess"), {"data": "none"}
)


def adapters_state(network: NetworkConfig = NETWORK) -> dict[str, Tensor]:
    torch.manual_seed(0)
    return dict(Adapters(network, vision_width=32, text_width=24, joint_dim=16).state_dict())


def write_raw(path: Path, tensors: dict[str, Tensor], config: CheckpointConfig = CONFIG) -> Path:
    """A file that `write_checkpoint` would refuse to write."""
    save_file(tensors, path, {"moeclip": config.to_json()})
    return path


@pytest.mark.parametrize(
    "network",
    [
        NETWORK,
        replace(NETWORK, fofs=False, aggregation=False, relu=True),
        replace(NETWORK, shared_projections=False, quick_gelu=True),
    ],
)
def test_a_written_checkpoint_reads_back_equal(tmp_path: Path, network: NetworkConfig) -> None:
    path, state = tmp_path / "x.safetensors", adapters_state(network)
    write_checkpoint(path, replace(CONFIG, network=network), state)
    read = read_checkpoint(path)
    assert read.config == replace(CONFIG, network=network)
    assert read.tensors.keys() == state.keys()
    assert all(torch.equal(read.tensors[name], state[name]) for name in state)
    assert (read.format, read.path) == ("moeclip", path)
    assert read.size_bytes == path.stat().st_size
    assert read.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (read.vision_width, read.text_width, read.joint_dim) == (32, 24, 16)
    assert read.parameters == sum(tensor.numel() for tensor in state.values())


def test_the_name_of_the_file_does_not_matter(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "x.pth", CONFIG, adapters_state())
    assert read_checkpoint(tmp_path / "x.pth").format == "moeclip"
    torch.save(authors_checkpoint(), tmp_path / "x.safetensors")
    assert read_checkpoint(tmp_path / "x.safetensors").format == "authors"


def test_half_precision_is_read_as_float32(tmp_path: Path) -> None:
    halves = {name: tensor.half() for name, tensor in adapters_state().items()}
    read = read_checkpoint(write_raw(tmp_path / "x", halves))
    assert all(tensor.dtype is torch.float32 for tensor in read.tensors.values())


def test_the_module_holds_the_tensors_and_only_experts_inputs_are_frozen(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "x", CONFIG, adapters_state())
    read = read_checkpoint(tmp_path / "x")
    module = read.build_adapters(NETWORK)
    assert all(torch.equal(module.state_dict()[name], read.tensors[name]) for name in read.tensors)
    frozen = {name for name, value in module.named_parameters() if not value.requires_grad}
    assert frozen == {"moe.0.lora_a", "moe.1.lora_a"}
    without_fofs = read.build_adapters(replace(NETWORK, fofs=False))
    assert all(value.requires_grad for value in without_fofs.parameters())


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("moe.1.lora_b", None, "lacks the tensor 'moe.1.lora_b'"),
        ("image_head.norm.weight", None, "lacks the tensor 'image_head.norm.weight'"),
        ("text_layer.weight", None, "lacks the tensor 'text_layer.weight'"),
        ("text_layer.weight", torch.ones(()), "'text_layer.weight', or its shape is wrong"),
        ("projections.2.weight", torch.ones(16, 32), "does not have: 'projections.2.weight'"),
        ("moe.0.lora_a", torch.ones(2, 4, 32), r"'moe.0.lora_a' .* \(2, 4, 32\).* \(2, 3, 32\)"),
        ("moe.0.router", torch.ones(2, 32, 1), "'moe.0.router' .* has the shape"),
        ("moe.1.router", None, "names 2 layers but has the adapters of 1"),
        ("moe.0.router", torch.full((2, 32), float("inf")), "'moe.0.router' .* contains NaN"),
        ("moe.0.router", torch.ones(2, 32, dtype=torch.int64), "'moe.0.router' .* has type int64"),
    ],
)  # fmt: skip
def test_a_wrong_tensor_is_named(
    tmp_path: Path, name: str, value: Tensor | None, sentence: str
) -> None:
    state = adapters_state()
    if value is None:
        del state[name]
    else:
        state[name] = value
    with pytest.raises(ModelError, match=sentence):
        read_checkpoint(write_raw(tmp_path / "x", state))


def test_a_configuration_that_is_not_the_tensors_is_refused(tmp_path: Path) -> None:
    endless = replace(NETWORK, layers=tuple(range(1, 257)))
    with pytest.raises(ModelError, match="names 256 layers"):
        read_checkpoint(
            write_raw(tmp_path / "x", adapters_state(), replace(CONFIG, network=endless))
        )
    with pytest.raises(ModelError, match=r"'moe.0.lora_a' .* \(2, 1024, 32\)"):
        huge = replace(NETWORK, rank=1024)
        read_checkpoint(write_raw(tmp_path / "x", adapters_state(), replace(CONFIG, network=huge)))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("experts", 10**6),
        ("rank", 10**6),
        ("alpha", 1e308),
        ("mix", 7),
        ("mix", 1e300),
        ("dropout", 7),
        ("image_size", 10**6),
        ("layers", list(range(1, 100_000))),
    ],
)
def test_a_configuration_out_of_range_is_refused_before_anything_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("built")

    content = json.loads(CONFIG.to_json())
    content["network"][name] = value
    save_file(adapters_state(), tmp_path / "x", {"moeclip": json.dumps(content)})
    monkeypatch.setattr(Adapters, "__init__", refuse)
    with pytest.raises(ModelError, match=f"cannot be used. `{name}` must be"):
        read_checkpoint(tmp_path / "x")


def test_experts_are_compared_with_the_tensors_before_anything_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x"
    write_raw(path, adapters_state(), replace(CONFIG, network=replace(NETWORK, experts=256)))
    monkeypatch.setattr(Adapters, "__init__", lambda *_: pytest.fail("built"))
    with pytest.raises(ModelError, match=r"'moe.0.lora_a' .* \(2, 3, 32\).* \(256, 3, 32\)"):
        read_checkpoint(path)


def test_numbers_that_overflow_float32_are_refused(tmp_path: Path) -> None:
    state = adapters_state()
    state["moe.0.router"] = torch.full((2, 32), 1e300, dtype=torch.float64)
    with pytest.raises(ModelError, match="'moe.0.router' .* numbers too large for float32"):
        read_checkpoint(write_raw(tmp_path / "x", state))


def test_an_empty_tensor_is_refused_without_a_warning(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    state = adapters_state()
    state["text_layer.weight"] = torch.empty(0, 24)
    with pytest.raises(ModelError, match="'text_layer.weight' .* is empty"):
        read_checkpoint(write_raw(tmp_path / "x", state))
    assert not recwarn.list


def test_a_name_of_a_million_characters_is_shortened(tmp_path: Path) -> None:
    state = adapters_state() | {"x" * 1_000_000: torch.ones(1)}
    with pytest.raises(ModelError, match=r"'x{77}\.\.\.'") as raised:
        read_checkpoint(write_raw(tmp_path / "x", state))
    assert len(str(raised.value)) < 500


def test_the_same_mistakes_are_refused_before_writing(tmp_path: Path) -> None:
    state = adapters_state()
    del state["moe.1.lora_b"]
    with pytest.raises(ModelError, match="lacks the tensor 'moe.1.lora_b'"):
        write_checkpoint(tmp_path / "x", CONFIG, state)
    assert not (tmp_path / "x").exists()


def test_a_wrong_configuration_names_the_file(tmp_path: Path) -> None:
    content = json.loads(CONFIG.to_json()) | {"format": 99}
    save_file(adapters_state(), tmp_path / "x", {"moeclip": json.dumps(content)})
    with pytest.raises(ModelError, match=r"x cannot be used\. .* install a newer moeclip"):
        read_checkpoint(tmp_path / "x")


def test_other_weights_are_not_taken_for_a_checkpoint(tmp_path: Path) -> None:
    save_file({"w": torch.ones(1)}, tmp_path / "other")
    with pytest.raises(ModelError, match=r"has no configuration\.$"):
        read_checkpoint(tmp_path / "other")
    save_file({"visual.proj": torch.ones(1)}, tmp_path / "clip")
    with pytest.raises(ModelError, match="`backbone_weights`"):
        read_checkpoint(tmp_path / "clip")
    torch.save(backbone_state(), tmp_path / "openai")
    with pytest.raises(ModelError, match="`backbone_weights`"):
        read_checkpoint(tmp_path / "openai")
    save_torchscript(ModuleTree({"w": torch.ones(1)}), tmp_path / "script")
    with pytest.raises(ModelError, match="TorchScript archive.*`backbone_weights`"):
        read_checkpoint(tmp_path / "script")


def test_a_file_of_the_authors_gets_the_papers_configuration(authors_file: Path) -> None:
    read = read_checkpoint(authors_file)
    assert read.config.network.layers == (6, 12, 18, 24)
    assert read.config.backbone == BackboneRef("ViT-L-14-336", "openai")
    assert read.config.domain == "industrial"
    assert read.config.threshold is None
    assert read.config.training == {"epoch": 1}
    assert read.layers_assumed


def test_options_complete_a_file_of_the_authors(authors_file: Path) -> None:
    options = AuthorsOptions(layers=(1, 2, 3, 5), domain="medical", backbone=BackboneRef("tiny"))
    read = read_checkpoint(authors_file, options)
    assert read.config.network.layers == (1, 2, 3, 5)
    assert (read.config.domain, read.config.backbone.name) == ("medical", "tiny")
    assert not read.layers_assumed
    deeper = read_checkpoint(authors_file, AuthorsOptions(backbone=BackboneRef("ViT-B-16")))
    assert deeper.config.network.layers == (3, 6, 9, 12)


def test_levels_that_are_not_as_many_as_the_adapters_are_refused(authors_file: Path) -> None:
    with pytest.raises(ModelError, match="has 4 MoE adapters.*`layers`"):
        read_checkpoint(authors_file, AuthorsOptions(layers=(1, 2)))
    with pytest.raises(ModelError, match="has 4 MoE adapters.* 2 blocks 18, 24.*`moe_layers`"):
        read_checkpoint(authors_file, AuthorsOptions(moe_layers=(18, 24)))


def test_options_cannot_change_a_file_with_a_configuration(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "x", CONFIG, adapters_state())
    with pytest.raises(ModelError, match="configuration of its own"):
        read_checkpoint(tmp_path / "x", AuthorsOptions())
