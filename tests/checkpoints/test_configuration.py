from __future__ import annotations

import json
from dataclasses import replace

import pytest

from moeclip_cli.checkpoints.configuration import (
    FORMAT,
    BackboneRef,
    CheckpointConfig,
    Threshold,
)
from moeclip_cli.errors import ModelError
from moeclip_cli.model.config import NetworkConfig

CONFIG = CheckpointConfig(
    network=NetworkConfig(layers=(2, 5), rank=3, mix=0.25, relu=True, image_size=224),
    backbone=BackboneRef("ViT-B-16", "laion2b_s34b_b88k"),
    domain="medical",
    threshold=Threshold(0.37, "1 % false alarms on 200 held-out normal images"),
    image_weight=0.75,
    scales=(160, 320),
    training={"data": ["visa", "größer"], "steps": 100, "seeds": {"torch": 111}},
    version="9.8.7",
)


def test_a_configuration_from_before_adapters_apart_from_the_levels_is_read() -> None:
    content = json.loads(CONFIG.to_json())
    del content["network"]["moe_layers"]
    assert CheckpointConfig.from_json(json.dumps(content)) == CONFIG
    apart = replace(CONFIG, network=replace(CONFIG.network, moe_layers=(1, 2)))
    assert CheckpointConfig.from_json(apart.to_json()) == apart


def edited(path: str, value: object) -> str:
    """The configuration's JSON with one entry, given by its dotted path, replaced."""
    content = json.loads(CONFIG.to_json())
    *parents, name = path.split(".")
    record = content
    for parent in parents:
        record = record[parent]
    record[name] = value
    return json.dumps(content)


def without(path: str) -> str:
    content = json.loads(CONFIG.to_json())
    *parents, name = path.split(".")
    record = content
    for parent in parents:
        record = record[parent]
    del record[name]
    return json.dumps(content)


def test_json_and_back_is_the_same_configuration() -> None:
    assert CheckpointConfig.from_json(CONFIG.to_json()) == CONFIG
    bare = replace(CONFIG, threshold=None, backbone=BackboneRef("mine", digest="ab" * 32))
    assert CheckpointConfig.from_json(bare.to_json()) == bare


def test_whole_numbers_are_numbers() -> None:
    config = CheckpointConfig.from_json(edited("network.alpha", 16))
    assert config.network.alpha == 16.0
    assert isinstance(config.network.alpha, float)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("network.rank", "8"),
        ("network.rank", 8.0),
        ("network.rank", True),
        ("network.rank", 10**12),
        ("network.layers", 6),
        ("network.layers", [6, "12"]),
        ("network.fofs", 1),
        ("network.mix", "0.1"),
        ("network.mix", float("nan")),
        ("network", []),
        ("backbone.name", None),
        ("backbone.digest", 5),
        ("domain", "agricultural"),
        ("domain", ["industrial"]),
        ("threshold", 0.5),
        ("threshold.value", "high"),
        ("image_weight", "half"),
        ("scales", 160),
        ("scales", [160.5]),
        ("training", "VisA"),
        ("version", 1),
    ],
)
def test_an_entry_of_the_wrong_type_is_named(path: str, value: object) -> None:
    with pytest.raises(ModelError, match=f"'{path}"):
        CheckpointConfig.from_json(edited(path, value))


@pytest.mark.parametrize("path", ["network.banana", "backbone.url", "banana", "threshold.unit"])
def test_an_unknown_entry_is_named(path: str) -> None:
    with pytest.raises(ModelError, match=f"unknown entry '{path}'"):
        CheckpointConfig.from_json(edited(path, 1))


@pytest.mark.parametrize("path", ["network", "network.top_k", "backbone.digest", "threshold.how"])
def test_a_missing_entry_is_named(path: str) -> None:
    with pytest.raises(ModelError, match=f"lacks '{path}'"):
        CheckpointConfig.from_json(without(path))


def test_impossible_values_are_refused() -> None:
    with pytest.raises(ModelError, match="`top_k` is 9"):
        CheckpointConfig.from_json(edited("network.top_k", 9))
    with pytest.raises(ModelError, match="between 0 and 1"):
        CheckpointConfig.from_json(edited("threshold.value", 1.5))
    with pytest.raises(ModelError, match="`image_weight` must be between 0 and 1, not -0.1"):
        CheckpointConfig.from_json(edited("image_weight", -0.1))


def test_a_file_from_before_there_were_scales_has_one() -> None:
    content = json.loads(CONFIG.to_json())
    del content["image_weight"], content["scales"], content["prompt"]

    config = CheckpointConfig.from_json(json.dumps(content))

    assert (config.image_weight, config.scales, config.prompt) == (0.5, (), None)


def test_a_newer_format_asks_for_a_newer_moeclip() -> None:
    with pytest.raises(ModelError, match="install a newer moeclip"):
        CheckpointConfig.from_json(edited("format", FORMAT + 1))


@pytest.mark.parametrize("version", [None, "1", 0, True, 1.0])
def test_a_format_version_other_than_a_number_is_refused(version: object) -> None:
    with pytest.raises(ModelError, match="format version"):
        CheckpointConfig.from_json(edited("format", version))


def test_the_number_and_the_size_of_scales_are_limited() -> None:
    assert CheckpointConfig.from_json(edited("scales", [80] * 8)).scales == (80,) * 8
    with pytest.raises(ModelError, match="`scales` must be at most 8 sizes, not 100000"):
        CheckpointConfig.from_json(edited("scales", [80] * 100_000))
    with pytest.raises(
        ModelError, match="`scales` must be at least 1 and at most 4096 pixels, not 1000000"
    ):
        CheckpointConfig.from_json(edited("scales", [1_000_000]))


def test_a_configuration_of_over_a_megabyte_is_refused() -> None:
    with pytest.raises(ModelError, match="larger than 1 MB"):
        CheckpointConfig.from_json(edited("training", {"data": "x" * 1_000_000}))


@pytest.mark.parametrize(
    "text",
    [
        edited("x" * 900_000, 1),
        edited("network." + "x" * 900_000, 1),
        edited("domain", "x" * 900_000),
        edited("format", "x" * 900_000),
    ],
    ids=range(4),
)
def test_long_entries_are_shortened_in_messages(text: str) -> None:
    with pytest.raises(ModelError, match=r"x{30}\.\.\.") as raised:
        CheckpointConfig.from_json(text)
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", "[" * 100_000])
def test_text_other_than_a_json_object_is_refused(text: str) -> None:
    with pytest.raises(ModelError, match="not (a )?JSON"):
        CheckpointConfig.from_json(text)


def test_a_backbone_reads_well_in_a_sentence() -> None:
    assert str(BackboneRef("ViT-B-16", "openai")) == "ViT-B-16 (openai)"
    assert str(BackboneRef("mine", digest="00")) == "mine"
    assert str(BackboneRef("x" * 1_000_000)) == "x" * 77 + "..."
