"""DINOv2: parity with recorded tokens and with timm, and the layouts of published weights."""

from __future__ import annotations

import pytest
import timm
import torch
from safetensors.torch import load_file
from support.golden import DATA

from moeclip_cli.checkpoints.backbones import read_backbone
from moeclip_cli.checkpoints.builtin import BUILTIN_TOWERS, builtin_file
from moeclip_cli.errors import ModelError
from moeclip_cli.model.backbones.dinov2 import DINOV2
from moeclip_cli.model.backbones.table import build_backbone, infer_architecture, recognise
from moeclip_cli.model.config import NetworkConfig
from moeclip_cli.model.frozen_tower import FrozenTower

LAYERS = (3, 6, 9, 12)
_EVERY = 7  # tokens that were recorded
SMALL = {
    "patch_size": 14,
    "embed_dim": 128,
    "depth": 4,
    "num_heads": 2,
    "init_values": 1.0,
    "num_classes": 0,
}


def tower_of(state, layers=LAYERS, image_size=98):
    architecture = infer_architecture(state)
    backbone = build_backbone(architecture, state, quick_gelu=False)
    return FrozenTower(NetworkConfig(layers=layers, image_size=image_size), backbone).eval()


@pytest.fixture(scope="module")
def builtin_state():
    return read_backbone(builtin_file(BUILTIN_TOWERS["dinov2-vits14"]))


@torch.inference_mode()
def test_tokens_agree_with_those_recorded_from_float32_weights(builtin_state):
    """The built-in file holds the weights in half precision, which moves tokens by up to 1e-3."""
    recorded = load_file(DATA / "dinov2.safetensors")
    network = tower_of(builtin_state)
    vision = network.backbone.vision
    x = vision.embed(recorded["images.98"])
    for number, block in enumerate(vision.blocks, start=1):
        x = block(x)
        if number in LAYERS:
            expected = recorded[f"tokens.98.{number}"]
            difference = (x[0, ::_EVERY] - expected).norm(dim=-1) / expected.norm(dim=-1)
            assert difference.max() < 2e-3, number


@pytest.mark.parametrize("shape", [(98, 98), (70, 140), (140, 70)])
@torch.inference_mode()
def test_tokens_equal_those_of_timm_with_the_same_weights(builtin_state, shape):
    reference = timm.create_model(
        "vit_small_patch14_dinov2", num_classes=0, dynamic_img_size=True
    ).eval()
    reference.load_state_dict({name: value.float() for name, value in builtin_state.items()})
    images = load_file(DATA / "dinov2.safetensors")["images.98"]
    images = torch.nn.functional.interpolate(images, shape)
    # timm resizes positions as it is told to at construction, the tower when it sees the grid.
    expected = reference.forward_intermediates(
        images, indices=[layer - 1 for layer in LAYERS], output_fmt="NLC", intermediates_only=True
    )
    levels = tower_of(builtin_state).levels(images)
    assert levels.grid == (shape[0] // 14, shape[1] // 14)
    for tokens, level in zip(levels.tokens, expected, strict=True):
        torch.testing.assert_close(tokens, level, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("registers", [0, 4])
@torch.inference_mode()
def test_registers_and_timm_names_are_read(registers):
    torch.manual_seed(0)
    options = SMALL | {"reg_tokens": registers, "no_embed_class": registers > 0}
    reference = timm.models.VisionTransformer(img_size=70, **options).eval()
    for parameter in reference.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    images = torch.randn(2, 3, 70, 70)
    network = tower_of(reference.state_dict(), (2, 4), 70)

    found = network.levels(images).tokens

    expected = reference.forward_intermediates(
        images, indices=[1, 3], output_fmt="NLC", intermediates_only=True
    )
    assert infer_architecture(reference.state_dict()).prefix_tokens == 1 + registers
    for tokens, level in zip(found, expected, strict=True):
        torch.testing.assert_close(tokens, level, atol=1e-4, rtol=1e-4)


def test_published_registers_are_read_like_those_of_timm():
    """The published files add the position of the class token when they run, timm's before."""
    torch.manual_seed(0)
    model = timm.models.VisionTransformer(
        img_size=70, reg_tokens=4, no_embed_class=True, **SMALL
    ).eval()
    state = {name: torch.randn_like(value) for name, value in model.state_dict().items()}
    position = torch.randn(1, 1, 128)
    published = dict(state)
    published["register_tokens"] = published.pop("reg_token")
    published["cls_token"] = state["cls_token"] - position
    published["pos_embed"] = torch.cat([position, state["pos_embed"]], dim=1)
    published["mask_token"] = torch.zeros(1, 128)
    images = torch.randn(1, 3, 70, 70)

    one, other = (tower_of(each, (4,), 70).levels(images).tokens[0] for each in (state, published))

    torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_the_built_in_file_is_recognised_and_described(builtin_state):
    assert recognise(builtin_state) is DINOV2
    shapes = infer_architecture(builtin_state, "dinov2-vits14")
    assert (shapes.vision_width, shapes.blocks, shapes.patch_size) == (384, 12, 14)
    assert (shapes.prefix_tokens, shapes.text_width) == (1, None)


def test_other_weights_are_refused(builtin_state):
    with pytest.raises(ModelError, match="not those of 'dinov2-vitb14' but of dinov2-vits14"):
        infer_architecture(builtin_state, "dinov2-vitb14")
    with pytest.raises(ModelError, match="do not fit the architecture"):
        state = dict(builtin_state)
        del state["blocks.3.mlp.fc1.bias"]
        tower_of(state)
    with pytest.raises(ModelError, match="no block 13"):
        tower_of(builtin_state, (13,))
