from __future__ import annotations

import open_clip
import pytest
import torch
from open_clip.transformer import QuickGELU
from support.standins import backbone_state

from moeclip_cli.errors import ModelError
from moeclip_cli.model.backbones.clip import CLIP, architecture, named_architecture, open_clip_state
from moeclip_cli.model.backbones.table import build_backbone, infer_architecture

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
    return clip, architecture(CLIP, None, config)


@pytest.mark.parametrize("variant", list(VARIANTS))
@torch.inference_mode()
def test_towers_agree_with_open_clip(variant):
    clip, shapes = make_clip(**VARIANTS[variant])
    backbone = build_backbone(shapes, clip.state_dict(), quick_gelu=False)
    images = torch.randn(2, 3, 48, 48)
    x = backbone.vision.embed(images)
    for block in backbone.vision.blocks:
        x = block(x)
    ours = backbone.vision.norm(x)[:, 0] @ clip.visual.proj
    assert torch.allclose(ours, clip.encode_image(images), atol=1e-5)

    tokens = backbone.text.tokenize(["a bolt.", "a photo of a very rusty bolt."])
    text = backbone.text(tokens) @ clip.text_projection
    assert torch.allclose(text, clip.encode_text(tokens), atol=1e-5)


@pytest.mark.parametrize("text", [{"no_causal_mask": True}, {"pool_type": "last"}])
@torch.inference_mode()
def test_other_text_towers_agree_with_open_clip(text):
    clip, shapes = make_clip(text=text)
    backbone = build_backbone(shapes, clip.state_dict(), quick_gelu=False)
    tokens = backbone.text.tokenize(["a bolt.", "a photo of a very rusty bolt."])
    ours = backbone.text(tokens) @ clip.text_projection
    assert torch.allclose(ours, clip.encode_text(tokens), atol=1e-5)


@pytest.mark.parametrize("quick_gelu", [False, True])
def test_activation_is_the_callers_choice_in_both_towers(quick_gelu):
    clip, shapes = make_clip(quick_gelu=not quick_gelu)
    backbone = build_backbone(shapes, clip.state_dict(), quick_gelu=quick_gelu)
    for blocks in (backbone.vision.blocks, backbone.text.blocks):
        for block in blocks:
            assert isinstance(block.mlp.gelu, QuickGELU) is quick_gelu


def test_backbone_is_frozen_float32_and_evaluates():
    clip, shapes = make_clip(patch_dropout=0.5)
    state = {name: tensor.half() for name, tensor in clip.state_dict().items()}
    backbone = build_backbone(shapes, state, quick_gelu=False)
    assert not backbone.training
    for parameter in backbone.parameters():
        assert parameter.dtype == torch.float32
        assert not parameter.requires_grad
        assert parameter.device.type == "cpu"


def test_weights_of_another_model_are_refused():
    clip, shapes = make_clip()
    state = clip.state_dict()
    lacking = {k: v for k, v in state.items() if k != "ln_final.weight"}
    with pytest.raises(ModelError, match=r"lack 'ln_final\.weight'"):
        build_backbone(shapes, lacking, quick_gelu=False)
    with pytest.raises(ModelError, match="unknown tensor 'extra'"):
        build_backbone(shapes, state | {"extra": torch.zeros(1)}, quick_gelu=False)
    misshaped = state | {"visual.ln_post.weight": torch.zeros(5)}
    with pytest.raises(ModelError, match="do not fit the architecture"):
        build_backbone(shapes, misshaped, quick_gelu=False)


def test_projections_that_moeclip_does_not_use_may_be_missing():
    clip, _ = make_clip()
    state = {k: v for k, v in clip.state_dict().items() if k not in ("visual.proj", "logit_scale")}
    backbone = build_backbone(infer_architecture(state), state, quick_gelu=False)
    assert backbone.architecture.blocks == 3


def test_the_papers_backbone_has_its_published_shapes():
    paper = named_architecture("ViT-L-14-336")
    assert paper.name == "ViT-L-14-336"
    assert (paper.vision_width, paper.text_width, paper.joint_dim) == (1024, 768, 768)
    assert (paper.blocks, paper.patch_size, paper.prefix_tokens) == (24, 14, 1)


def test_a_built_backbone_gives_its_state_dict_back():
    state = backbone_state()
    backbone = build_backbone(infer_architecture(state), state, quick_gelu=False)
    again = open_clip_state(backbone)
    unused = {"visual.proj", "text_projection", "logit_scale"}
    assert again.keys() == state.keys() - unused
    assert all(torch.equal(again[name], state[name].float()) for name in again)


def test_shapes_that_open_clip_cannot_build_are_refused():
    state = backbone_state() | {"positional_embedding": torch.ones(77, 200)}
    with pytest.raises(ModelError, match="shapes of a CLIP ViT: embed_dim must be divisible"):
        build_backbone(infer_architecture(state), state, quick_gelu=False)
    state = {k: v for k, v in backbone_state().items() if not k.startswith("transformer")}
    with pytest.raises(ModelError, match="do not have the shapes of a CLIP ViT"):
        build_backbone(infer_architecture(state), state, quick_gelu=False)
