from __future__ import annotations

import open_clip
import pytest
import torch
from open_clip.transformer import CustomResidualAttentionBlock, QuickGELU

from moeclip_cli.errors import ModelError
from moeclip_cli.model.architecture import Architecture, infer_architecture
from moeclip_cli.model.backbone import build_backbone, resize_positions, run_block

TEXT = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
VISION = {"image_size": 48, "patch_size": 8, "width": 48, "head_width": 12, "layers": 3}
VARIANTS = {
    "plain": {},
    "layer scale": {"ls_init_value": 0.1},
    "no first norm": {"no_ln_pre": True},
    "odd mlp": {"mlp_ratio": 3.5},
    "normalised queries": {"qk_norm": True},
}


def make_clip(*, quick_gelu=False, text=None, **vision):
    torch.manual_seed(0)
    config = {"embed_dim": 24, "vision_cfg": VISION | vision, "text_cfg": TEXT | (text or {})}
    clip = open_clip.CLIP(**config, quick_gelu=quick_gelu).eval()
    for parameter in clip.parameters():  # open_clip starts biases and some norms at nothing
        parameter.data += 0.05 * torch.randn_like(parameter)
    return clip, Architecture(None, config)


@pytest.mark.parametrize("variant", list(VARIANTS))
@torch.inference_mode()
def test_towers_agree_with_open_clip(variant):
    clip, architecture = make_clip(**VARIANTS[variant])
    backbone = build_backbone(architecture, clip.state_dict(), quick_gelu=False)
    images = torch.randn(2, 3, 48, 48)
    x = backbone.visual.embed(images)
    for block in backbone.visual.blocks:
        x = run_block(block, x)
    ours = backbone.visual.ln_post(x)[:, 0] @ clip.visual.proj
    assert torch.allclose(ours, clip.encode_image(images), atol=1e-5)

    tokens = backbone.tokenize(["a bolt.", "a photo of a very rusty bolt."])
    text = backbone.text(tokens) @ clip.text_projection
    assert torch.allclose(text, clip.encode_text(tokens), atol=1e-5)


@pytest.mark.parametrize("text", [{"no_causal_mask": True}, {"pool_type": "last"}])
@torch.inference_mode()
def test_other_text_towers_agree_with_open_clip(text):
    clip, architecture = make_clip(text=text)
    backbone = build_backbone(architecture, clip.state_dict(), quick_gelu=False)
    tokens = backbone.tokenize(["a bolt.", "a photo of a very rusty bolt."])
    ours = backbone.text(tokens) @ clip.text_projection
    assert torch.allclose(ours, clip.encode_text(tokens), atol=1e-5)


@torch.inference_mode()
def test_causal_mask_reaches_custom_blocks():
    block = CustomResidualAttentionBlock(16, 2, qk_norm=True).eval()
    x = torch.randn(1, 6, 16)
    longer = run_block(block, x, causal=True)
    shorter = run_block(block, x[:, :4], causal=True)
    assert torch.allclose(longer[:, :4], shorter, atol=1e-6)


@pytest.mark.parametrize("quick_gelu", [False, True])
def test_activation_is_the_callers_choice_in_both_towers(quick_gelu):
    clip, architecture = make_clip(quick_gelu=not quick_gelu)
    backbone = build_backbone(architecture, clip.state_dict(), quick_gelu=quick_gelu)
    for blocks in (backbone.visual.blocks, backbone.text.blocks):
        for block in blocks:
            assert isinstance(block.mlp.gelu, QuickGELU) is quick_gelu


def test_backbone_is_frozen_float32_and_evaluates():
    clip, architecture = make_clip(patch_dropout=0.5)
    state = {name: tensor.half() for name, tensor in clip.state_dict().items()}
    backbone = build_backbone(architecture, state, quick_gelu=False)
    assert not backbone.training
    for parameter in backbone.parameters():
        assert parameter.dtype == torch.float32
        assert not parameter.requires_grad
        assert parameter.device.type == "cpu"


def test_positions_keep_the_class_position_and_match_a_plain_resize():
    positions = torch.randn(1 + 16, 6)
    resized = resize_positions(positions, 7)
    assert resized.shape == (1 + 49, 6)
    assert torch.equal(resized[0], positions[0])
    plane = positions[1:].T.reshape(1, 6, 4, 4)
    expected = torch.nn.functional.interpolate(plane, (7, 7), mode="bicubic", antialias=True)
    assert torch.allclose(resized[1:], expected[0].flatten(1).T, atol=1e-6)
    assert resize_positions(positions, 4) is positions


def test_weights_of_another_model_are_refused():
    clip, architecture = make_clip()
    state = clip.state_dict()
    lacking = {k: v for k, v in state.items() if k != "ln_final.weight"}
    with pytest.raises(ModelError, match=r"lack 'ln_final\.weight'"):
        build_backbone(architecture, lacking, quick_gelu=False)
    with pytest.raises(ModelError, match="unknown tensor 'extra'"):
        build_backbone(architecture, state | {"extra": torch.zeros(1)}, quick_gelu=False)
    misshaped = state | {"visual.ln_post.weight": torch.zeros(5)}
    with pytest.raises(ModelError, match="do not fit the architecture"):
        build_backbone(architecture, misshaped, quick_gelu=False)


def test_projections_that_moeclip_does_not_use_may_be_missing():
    clip, _ = make_clip()
    state = {k: v for k, v in clip.state_dict().items() if k not in ("visual.proj", "logit_scale")}
    backbone = build_backbone(infer_architecture(state), state, quick_gelu=False)
    assert backbone.blocks == 3
