from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from support.standins import backbone_state

from moeclip_cli.errors import ModelError
from moeclip_cli.model.backbones.clip import CLIP, open_clip_state
from moeclip_cli.model.backbones.mini import MINI, untrained
from moeclip_cli.model.backbones.table import (
    FAMILIES,
    build_backbone,
    infer_architecture,
    recognise,
)


def mini_state():
    backbone = untrained(image_size=80, width=64, blocks=4, text_width=64, text_blocks=1)
    return open_clip_state(backbone)


@pytest.mark.parametrize(("state", "family"), [(backbone_state(), CLIP), (mini_state(), MINI)])
def test_weights_are_recognised_by_their_tensors_by_one_family_alone(state, family):
    assert recognise(state) is family
    assert [each for each in FAMILIES if each.recognises(state)] == [family]


def test_the_architecture_is_read_off_the_weights():
    shapes = infer_architecture(backbone_state())
    assert (shapes.family, shapes.name) == (CLIP, None)
    assert (shapes.vision_width, shapes.text_width, shapes.joint_dim) == (128, 64, 64)
    assert (shapes.blocks, shapes.patch_size, shapes.prefix_tokens) == (8, 14, 1)


def test_other_weights_are_refused_with_the_supported_families():
    with pytest.raises(ModelError, match=r"not those of a supported backbone \(CLIP ViT, moeclip-"):
        recognise({"conv1.weight": torch.zeros(64, 3, 7, 7)})
    resnet = backbone_state() | {"visual.layer1.0.conv1.weight": torch.zeros(1)}
    del resnet["visual.class_embedding"], resnet["visual.positional_embedding"]
    with pytest.raises(ModelError, match="not those of a supported backbone"):
        infer_architecture(resnet)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_an_entry_is_complete(family):
    for text in (family.name, family.licence, family.origin):
        assert text
    assert family.tensors and family.activations
    assert all(0 < value < 1 for value in (*family.preprocessing.mean, *family.preprocessing.std))


def test_an_activation_that_the_family_does_not_have_is_refused():
    state = backbone_state()
    shapes = infer_architecture(state)
    exact = replace(shapes, family=replace(CLIP, activations=("gelu",)))
    assert build_backbone(exact, state, quick_gelu=False).architecture is exact
    with pytest.raises(ModelError, match="runs with gelu only; set `quick_gelu` to False"):
        build_backbone(exact, state, quick_gelu=True)
