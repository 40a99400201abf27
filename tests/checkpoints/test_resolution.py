from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.standins import backbone_state

from moeclip_cli.checkpoints.authors_file import AuthorsOptions
from moeclip_cli.checkpoints.checkpoint import Checkpoint, read_checkpoint
from moeclip_cli.checkpoints.configuration import BackboneRef, CheckpointConfig
from moeclip_cli.checkpoints.resolution import resolve
from moeclip_cli.errors import ModelError
from moeclip_cli.model.backbones.family import Architecture
from moeclip_cli.model.backbones.table import infer_architecture

LAYERS = (2, 4, 6, 8)


@pytest.fixture(scope="module")
def architecture() -> Architecture:
    return infer_architecture(backbone_state())


@pytest.fixture
def theirs(authors_file: Path) -> Checkpoint:
    return read_checkpoint(authors_file, AuthorsOptions(layers=LAYERS, image_size=70))


@pytest.fixture
def own(theirs: Checkpoint) -> Checkpoint:
    config = replace(theirs.config, scales=(84,))
    return replace(theirs, config=config, format="moeclip")


def resolved(
    checkpoint: Checkpoint, architecture: Architecture, **choices: Any
) -> CheckpointConfig:
    return resolve(checkpoint, architecture, name="x.pth", backbone="tiny", **choices)


def test_a_configuration_that_fits_is_returned_unchanged(
    own: Checkpoint, architecture: Architecture
) -> None:
    assert resolved(own, architecture) == own.config
    assert resolved(own, architecture, backbone_weights=Path("tiny.pt")) == own.config


def test_one_image_size_replaces_all_sizes(own: Checkpoint, architecture: Architecture) -> None:
    config = resolved(own, architecture, image_size=98)
    assert config.sizes == (98,)
    assert own.config.sizes == (70, 84)


def test_a_file_of_the_authors_takes_name_and_depth_from_a_chosen_backbone(
    authors_file: Path, theirs: Checkpoint, architecture: Architecture
) -> None:
    assumed = read_checkpoint(authors_file)
    config = resolved(assumed, architecture, image_size=70, backbone_weights=Path("in/tiny.pt"))
    assert config.backbone == BackboneRef("tiny")
    assert config.network.layers == LAYERS

    named = replace(theirs, config=replace(theirs.config, backbone=BackboneRef("other")))
    layers = replace(named.config.network, layers=(1, 2, 3, 4))
    named = replace(named, config=replace(named.config, network=layers))
    config = resolved(named, architecture, backbone_weights=Path("in/tiny.pt"))
    assert config.network.layers == (1, 2, 3, 4)


def test_every_size_must_fit_the_patches(own: Checkpoint, architecture: Architecture) -> None:
    odd = replace(own, config=replace(own.config, scales=(84, 71)))
    with pytest.raises(ModelError, match="multiple of the patch size 14 .* not 71"):
        resolved(odd, architecture)


def test_adapters_that_read_the_text_tower_of_an_earlier_moeclip_mini_are_told_so(
    own: Checkpoint, architecture: Architecture
) -> None:
    own = replace(own, config=replace(own.config, backbone=BackboneRef("moeclip-mini")))
    with pytest.raises(ModelError, match="text tower.* was trained on an earlier moeclip-mini;"):
        resolved(own, replace(architecture, text_width=None))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"vision_width": 96}, "needs vision width 128, .* and joint dimension 64, not 96, 64 and"),
        ({"joint_dim": 32}, "not 128, 64 and 32"),
        ({"text_width": None}, "needs a text tower"),
        ({"blocks": 7}, "has an adapter after block 8 of a tower with 7 blocks"),
    ],
)
def test_another_backbone_is_refused_with_the_reason(
    own: Checkpoint, architecture: Architecture, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ModelError, match=sentence) as raised:
        resolved(own, replace(architecture, **changes))
    assert "x.pth does not fit the backbone tiny" in str(raised.value)
    assert "trained on, ViT-L-14-336 (openai), as `backbone_weights`" in str(raised.value)
