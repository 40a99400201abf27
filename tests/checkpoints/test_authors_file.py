from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from support.standins import authors_checkpoint

from moeclip_cli.checkpoints.authors_file import AuthorsOptions, read_authors_file
from moeclip_cli.errors import ModelError, UsageError
from moeclip_cli.model.config import NetworkConfig
from moeclip_cli.model.experts import fofs_matrices

LAYERS = (2, 4, 6, 8)


def save(content: object, tmp_path: Path) -> Path:
    torch.save(content, tmp_path / "x.pth")
    return tmp_path / "x.pth"


def network(content: object, tmp_path: Path, **options: Any) -> NetworkConfig:
    file = read_authors_file(save(content, tmp_path))
    return file.network(LAYERS, AuthorsOptions(**options))


def test_every_tensor_gets_our_name_and_keeps_its_numbers(tmp_path: Path) -> None:
    content = authors_checkpoint()
    image: Any = content["image_adapter"]
    tensors = read_authors_file(save(content, tmp_path)).tensors
    assert len(tensors) == 5 + 4 + 4 * 3
    for ours, theirs in {
        "image_head.norm.weight": "det_proj.ln.weight",
        "image_head.norm.bias": "det_proj.ln.bias",
        "image_head.depthwise.weight": "det_proj.adapter.0.weight",
        "image_head.pointwise.weight": "det_proj.adapter.2.weight",
        "projections.3.weight": "seg_proj.3.fc.weight",
        "moe.2.router": "moe_adapters.2.gate.weight",
    }.items():
        assert torch.equal(tensors[ours], image[theirs]), ours
    for expert in range(4):
        theirs = f"moe_adapters.1.experts.{expert}"
        assert torch.equal(tensors["moe.1.lora_a"][expert], image[f"{theirs}.lora_A.weight"])
        assert torch.equal(tensors["moe.1.lora_b"][expert], image[f"{theirs}.lora_B.weight"])
    text: Any = content["text_adapter"]
    assert torch.equal(tensors["text_layer.weight"], text["0.fc.0.weight"])


def test_settings_that_the_tensors_do_not_show_are_the_papers(tmp_path: Path) -> None:
    assert network(authors_checkpoint(), tmp_path) == NetworkConfig(
        layers=LAYERS, rank=4, experts=4, top_k=2, alpha=8.0, mix=0.1, fofs=False, image_size=518
    )


def test_relu_and_separate_projections_show_in_the_names(tmp_path: Path) -> None:
    config = network(authors_checkpoint(relu=True, separate=True), tmp_path)
    assert config.relu
    assert not config.shared_projections
    assert config.aggregation


def test_fofs_shows_in_the_zeros(tmp_path: Path) -> None:
    content = authors_checkpoint()
    image: Any = content["image_adapter"]
    for level in range(4):
        for expert, matrix in enumerate(fofs_matrices(4, 4, 128)):
            image[f"moe_adapters.{level}.experts.{expert}.lora_A.weight"] = matrix
    assert network(content, tmp_path).fofs


def test_options_say_the_rest(tmp_path: Path) -> None:
    config = network(
        authors_checkpoint(), tmp_path, top_k=3, alpha=5.0, mix=0.3, aggregation=False,
        quick_gelu=True, image_size=224,
    )  # fmt: skip
    assert (config.top_k, config.alpha, config.mix) == (3, 5.0, 0.3)
    assert (config.aggregation, config.quick_gelu, config.image_size) == (False, True, 224)


def test_invalid_options_are_refused() -> None:
    with pytest.raises(UsageError, match="`mix` must be"):
        AuthorsOptions(mix=float("nan"))
    with pytest.raises(UsageError, match="`alpha` must be"):
        AuthorsOptions(alpha=0.0)


def test_options_that_contradict_the_tensors_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="turn `aggregation` on"):
        network(authors_checkpoint(separate=True), tmp_path, aggregation=False)
    with pytest.raises(ModelError, match="`top_k` is 5"):
        network(authors_checkpoint(), tmp_path, top_k=5)


def test_the_epoch_is_kept_and_the_optimizer_dropped(tmp_path: Path) -> None:
    content = authors_checkpoint()
    content["optimizer_state_dict"] = {"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": []}
    file = read_authors_file(save(content, tmp_path))
    assert file.epoch == 1
    assert not any("exp_avg" in name for name in file.tensors)
    del content["epoch"]
    assert read_authors_file(save(content, tmp_path)).epoch is None


def change(part: str, name: str, value: object) -> Callable[[Any], None]:
    def apply(content: Any) -> None:
        if value is None:
            del content[part][name]
        else:
            content[part][name] = value

    return apply


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (change("image_adapter", "det_proj.ln.bias", None), "lacks .*det_proj.ln.bias"),
        (change("text_adapter", "0.fc.0.weight", None), "lacks .*'text_adapter.0.fc.0.weight'"),
        (change("image_adapter", "seg_proj.0.fc.weight", None), "lacks .*seg_proj.0.fc.weight"),
        (
            change("image_adapter", "moe_adapters.1.experts.0.lora_B.weight", None),
            "lacks .*experts.0.lora_B",
        ),
        (
            # A gap in the numbers leaves the rest over.
            change("image_adapter", "moe_adapters.1.experts.1.lora_A.weight", None),
            "unknown tensor 'image_adapter.moe_adapters.1.experts.2.lora_A.weight'",
        ),
        (change("image_adapter", "extra.weight", torch.ones(1)), "unknown tensor .*extra.weight"),
        (change("image_adapter", "extra", "text"), "'image_adapter.extra' in .* is a str, not"),
        (
            change("image_adapter", "moe_adapters.0.experts.2.lora_A.weight", torch.ones(5, 128)),
            r"experts.2.lora_A.weight' in .* has the shape \(5, 128\)",
        ),
        (
            change("image_adapter", "moe_adapters.0.experts.0.lora_A.weight", torch.ones(5)),
            r"has the shape \(5,\)",
        ),
        (
            change("text_adapter", "0.fc.0.weight", torch.full((64, 64), float("nan"))),
            "'text_adapter.0.fc.0.weight' in .* contains NaN",
        ),
        (
            change("text_adapter", "0.fc.0.weight", torch.ones(64, 64, dtype=torch.int32)),
            "has type int32",
        ),
    ],
)  # fmt: skip
def test_a_wrong_tensor_is_named(
    tmp_path: Path, spoil: Callable[[Any], None], sentence: str
) -> None:
    content = authors_checkpoint()
    spoil(content)
    with pytest.raises(ModelError, match=sentence):
        read_authors_file(save(content, tmp_path))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({**authors_checkpoint(), "config": {}}, "unknown entry 'config'"),
        ({"image_adapter": {}}, "missing or empty"),
        ({"image_adapter": {}, "text_adapter": 5}, "missing or empty"),
        ({"visual.positional_embedding": torch.ones(1)}, "`backbone_weights`"),
        ({"state_dict": {}}, "`backbone_weights`"),
        ({}, "neither 'image_adapter' nor 'text_adapter'"),
        ({5: torch.ones(1)}, "neither 'image_adapter' nor 'text_adapter'"),
    ],
)
def test_another_file_is_not_taken_for_a_checkpoint(
    tmp_path: Path, content: object, sentence: str
) -> None:
    with pytest.raises(ModelError, match=sentence):
        read_authors_file(save(content, tmp_path))


def test_the_adapters_may_follow_other_blocks_than_the_levels(tmp_path: Path) -> None:
    content = authors_checkpoint(adapters=2)
    assert network(content, tmp_path, moe_layers=(4, 8)).moe_layers == (4, 8)
    with pytest.raises(ModelError, match="4 projections do not fit 2 levels.*`moe_layers`"):
        read_authors_file(tmp_path / "x.pth").network((4, 8), AuthorsOptions())


def test_an_impossible_number_of_projections_is_refused(tmp_path: Path) -> None:
    content = authors_checkpoint()
    image: Any = content["image_adapter"]
    image["seg_proj.4.fc.weight"] = image["seg_proj.3.fc.weight"]
    with pytest.raises(ModelError, match="5 projections do not fit 4 levels"):
        network(content, tmp_path)
