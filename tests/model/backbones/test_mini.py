from __future__ import annotations

import open_clip
import pytest
import torch
from support.standins import backbone_state

from moeclip_cli.checkpoints.backbones import read_backbone
from moeclip_cli.checkpoints.builtin import BUILTIN, builtin_file
from moeclip_cli.errors import ModelError
from moeclip_cli.model.backbones.clip import open_clip_state
from moeclip_cli.model.backbones.mini import MINI, build, describe, untrained
from moeclip_cli.model.backbones.stem import ConvStem
from moeclip_cli.model.backbones.table import recognise


@pytest.fixture(scope="module")
def backbone():
    torch.manual_seed(0)
    return untrained(image_size=96, width=64, blocks=4, text_width=64, text_blocks=1)


def test_an_untrained_backbone_has_the_requested_shapes(backbone):
    shapes = backbone.architecture
    assert shapes.family is MINI
    assert (shapes.vision_width, shapes.text_width, shapes.joint_dim) == (64, 64, 64)
    assert (shapes.blocks, shapes.patch_size, shapes.prefix_tokens) == (4, 16, 1)
    assert len(backbone.vision.positional_embedding) == 1 + 36
    assert isinstance(backbone.vision.conv1, ConvStem)


@pytest.mark.parametrize("activation", ["gelu", "quick_gelu"])
@torch.inference_mode()
def test_towers_agree_with_those_of_open_clip_around_the_same_stem(activation):
    torch.manual_seed(0)
    vision = {"image_size": 96, "layers": 3, "width": 128, "patch_size": 16, "mlp_ratio": 3.5}
    text = {"width": 128, "heads": 2, "layers": 2}
    reference = open_clip.CLIP(24, vision, text, quick_gelu=activation == "quick_gelu").eval()
    reference.visual.conv1 = ConvStem(128)
    for parameter in reference.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    state = {k: v for k, v in reference.state_dict().items() if k != "attn_mask"}

    backbone = build(describe(state, None), state, activation)

    images = torch.randn(2, 3, 96, 96)
    x = backbone.vision.embed(images)
    for block in backbone.vision.blocks:
        x = block(x)
    ours = backbone.vision.norm(x)[:, 0] @ reference.visual.proj
    torch.testing.assert_close(ours, reference.encode_image(images), atol=1e-5, rtol=1e-4)
    tokens = backbone.text.tokenize(["a bolt.", "a photo of a very rusty bolt."])
    words = backbone.text(tokens) @ reference.text_projection
    torch.testing.assert_close(words, reference.encode_text(tokens), atol=1e-5, rtol=1e-4)


@torch.inference_mode()
def test_a_state_dict_by_open_clips_names_is_built_again(backbone):
    state = open_clip_state(backbone)
    again = build(describe(state, None), state, "gelu")
    image = torch.randn(1, 3, 96, 96)
    assert torch.equal(again.vision.embed(image), backbone.vision.embed(image))
    tokens = backbone.text.tokenize(["a bolt."])
    assert torch.equal(again.text(tokens), backbone.text(tokens))


@torch.inference_mode()
def test_the_vision_tower_alone_is_a_backbone_without_a_text_side(backbone):
    state = {k: v for k, v in open_clip_state(backbone).items() if k.startswith("visual.")}
    shapes = describe(state, None)
    assert (shapes.text_width, shapes.joint_dim, shapes.vision_width) == (None, 64, 64)
    alone = build(shapes, state, "gelu")
    assert alone.text is None
    image = torch.randn(1, 3, 96, 96)
    assert torch.equal(alone.vision.embed(image), backbone.vision.embed(image))


def test_a_part_of_a_text_tower_is_refused(backbone):
    state = open_clip_state(backbone)
    del state["token_embedding.weight"]
    with pytest.raises(ModelError, match=r"missing .*token_embedding\.weight"):
        describe(state, None)


def test_the_file_of_the_built_in_model_is_recognised():
    state = read_backbone(builtin_file(BUILTIN["moeclip-mini"].backbone))
    assert recognise(state) is MINI
    shapes = describe(state, None)
    assert (shapes.vision_width, shapes.blocks, shapes.patch_size) == (128, 8, 16)
    assert shapes.text_width is None


def test_the_weights_are_not_those_of_a_published_model(backbone):
    with pytest.raises(ModelError, match="not those of 'ViT-B-16'"):
        describe(open_clip_state(backbone), "ViT-B-16")


def test_an_incomplete_stem_is_refused():
    state = backbone_state("small")
    del state["visual.conv1.weight"]
    state["visual.conv1.edges.weight"] = torch.zeros(8, 3, 7, 7)
    with pytest.raises(ModelError, match=r"missing: .*stages\.0\.down\.weight"):
        build(describe(state, None), state, "gelu")
