from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from support.standins import backbone_state

from moeclip_cli.errors import ModelError
from moeclip_cli.model.adapters import Adapters
from moeclip_cli.model.backbones.clip import CLIP
from moeclip_cli.model.backbones.dinov2 import DINOV2
from moeclip_cli.model.backbones.table import build_backbone, infer_architecture
from moeclip_cli.model.config import NetworkConfig
from moeclip_cli.model.detail import DetailTower, on_grid
from moeclip_cli.model.moeclip import MoECLIP

SIDE = 112
GRID = 8


@pytest.fixture(scope="module")
def tower():
    torch.manual_seed(0)
    tower = DetailTower().eval()
    for adapter in tower.moe:
        torch.nn.init.normal_(adapter.lora_b)
    return tower


@pytest.fixture(scope="module")
def network(tower):
    torch.manual_seed(0)
    state = backbone_state("small")
    architecture = infer_architecture(state)
    config = NetworkConfig(
        layers=(2, 4), rank=4, image_size=SIDE, adapted_tower=False, self_comparison=True,
        detail=True,
    )  # fmt: skip
    adapters = Adapters(
        config, architecture.vision_width, architecture.text_width, architecture.joint_dim
    )
    adapters.detail = tower
    backbone = build_backbone(architecture, state, quick_gelu=False)
    return MoECLIP(config, backbone, adapters).eval()


@torch.inference_mode()
def test_tokens_have_the_documented_shapes(tower):
    images = torch.randn(2, 3, SIDE, SIDE)
    found = tower.tokens(images, DINOV2.preprocessing)
    assert [part.shape for part in found] == [(2, 64, 256), (2, 25, 256)]
    assert tower(images, DINOV2.preprocessing, GRID).shape == (2, 64, DetailTower.TOKEN_WIDTH)
    assert not any(parameter.requires_grad for parameter in tower.parameters())


@torch.inference_mode()
def test_images_do_not_influence_each_other(tower):
    images = torch.randn(3, 3, SIDE, SIDE)
    together = tower(images, DINOV2.preprocessing, GRID)
    for number in range(3):
        alone = tower(images[number : number + 1], DINOV2.preprocessing, GRID)
        assert torch.allclose(alone[0], together[number], atol=1e-4)


@torch.inference_mode()
def test_the_backbones_normalisation_makes_no_difference(tower):
    colours = torch.rand(1, 3, SIDE, SIDE)

    def normalised(preprocessing):
        mean = torch.tensor(preprocessing.mean).view(3, 1, 1)
        return (colours - mean) / torch.tensor(preprocessing.std).view(3, 1, 1)

    found = [
        tower(normalised(family.preprocessing), family.preprocessing, GRID)
        for family in (CLIP, DINOV2)
    ]
    assert torch.allclose(*found, atol=1e-3)


def test_tokens_are_resized_row_by_row():
    tokens = torch.arange(9.0).view(1, 9, 1)
    assert torch.equal(on_grid(tokens, 3), tokens)
    expected = F.interpolate(tokens.view(1, 1, 3, 3), (6, 6), mode="bilinear")
    assert torch.allclose(on_grid(tokens, 6), expected.view(1, 36, 1))


def test_tokens_are_standardised():
    tower = DetailTower()
    tokens = 5 + 3 * torch.randn(1, 1000, DetailTower.TOKEN_WIDTH)
    tower.mean.copy_(tokens[0].mean(0))
    tower.deviation.copy_(tokens[0].std(0))
    found = tower.standardised(tokens)[0]
    assert torch.allclose(found.mean(0), torch.zeros(()), atol=1e-5)
    assert torch.allclose(found.std(0), torch.ones(()), atol=1e-5)


@torch.inference_mode()
def test_the_network_reads_the_detail_and_references_do_not(network):
    images = torch.randn(1, 3, SIDE, SIDE)
    text = network.encode_text(["bolt"])[0]
    levels = network.levels(images)
    width = network.backbone.architecture.vision_width
    assert [level.shape for level in levels.tokens] == [(1, GRID * GRID, width)] * 2
    whole = network.compare(levels, text)
    assert torch.equal(whole.patches, network(images, text).patches)
    changed = levels.detail.clone()
    changed[0, 10] += torch.randn(DetailTower.TOKEN_WIDTH)
    other = network.compare(levels._replace(detail=changed), text)
    plain = slice(None, None, 3)  # without the means over 3 x 3 and 5 x 5 patches
    differs = (whole.patches[plain] != other.patches[plain]).any(-1)
    assert differs[:, 0, 10].all()
    assert differs.sum() == len(differs)


@torch.inference_mode()
def test_half_precision_gives_nearly_the_same(network):
    images = torch.randn(1, 3, SIDE, SIDE)
    exact = network.adapters.detail(images, DINOV2.preprocessing, GRID)
    half = DetailTower().eval()
    half.load_state_dict(network.adapters.detail.state_dict())
    half.vision.bfloat16()
    for adapter in half.moe:
        adapter.bfloat16()
    close = F.cosine_similarity(half(images, DINOV2.preprocessing, GRID), exact, dim=-1)
    assert close.min() > 0.98


def test_detail_in_an_adapted_tower_is_refused():
    with pytest.raises(ModelError, match="`detail` .* set `adapted_tower` to False"):
        NetworkConfig(detail=True)
