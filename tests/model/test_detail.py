from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from support.standins import backbone_state

from moeclip_cli.checkpoints.configuration import BackboneRef, CheckpointConfig
from moeclip_cli.errors import ModelError
from moeclip_cli.exports.graph import ScoreGraph
from moeclip_cli.model.adapters import Adapters
from moeclip_cli.model.backbones import mini
from moeclip_cli.model.backbones.clip import CLIP
from moeclip_cli.model.backbones.dinov2 import DINOV2
from moeclip_cli.model.backbones.table import build_backbone, infer_architecture
from moeclip_cli.model.config import NetworkConfig
from moeclip_cli.model.detail import Detail, on_grid
from moeclip_cli.model.moeclip import MoECLIP
from moeclip_cli.model.scoring import score_scales

SIDE = 112
GRID = 8
CONFIG = NetworkConfig(
    layers=(2, 4), rank=4, image_size=SIDE, adapted_tower=False, self_comparison=True, detail=True
)


@pytest.fixture(scope="module")
def second():
    torch.manual_seed(0)
    return mini.untrained(image_size=64, width=128, blocks=8, text_width=64, text_blocks=1)


@pytest.fixture(scope="module")
def detail():
    torch.manual_seed(0)
    detail = Detail().eval()
    for adapter in detail.moe:
        torch.nn.init.normal_(adapter.lora_b)
    return detail


@pytest.fixture(scope="module")
def network(second, detail):
    torch.manual_seed(0)
    state = backbone_state("small")
    architecture = infer_architecture(state)
    adapters = Adapters(
        CONFIG, architecture.vision_width, architecture.text_width, architecture.joint_dim
    )
    adapters.detail = detail
    backbone = build_backbone(architecture, state, quick_gelu=False)
    return MoECLIP(CONFIG, backbone, adapters, second).eval()


@torch.inference_mode()
def test_tokens_have_the_documented_shapes(second, detail):
    images = torch.randn(2, 3, SIDE, SIDE)
    found = detail.tokens(second, images, DINOV2.preprocessing)
    assert [part.shape for part in found] == [(2, 64, 256), (2, 25, 256)]
    joined = detail(second, images, DINOV2.preprocessing, GRID)
    assert joined.shape == (2, 64, Detail.TOKEN_WIDTH)
    assert not any(parameter.requires_grad for parameter in detail.parameters())


@torch.inference_mode()
def test_tokens_are_those_of_the_adapted_tower(second, detail):
    """As the network computes them that the second tower and its adapters come from."""
    config = NetworkConfig(layers=(2, 4, 6, 8), image_size=128)
    adapters = Adapters(config, 128, 64, 64)
    adapters.moe.load_state_dict(detail.moe.state_dict())
    images = torch.randn(1, 3, SIDE, SIDE)
    resized = F.interpolate(
        images, (128, 128), mode="bilinear", antialias=True, align_corners=False
    )
    levels = MoECLIP(config, second, adapters).eval().levels(resized).tokens
    found = detail.tokens(second, images, CLIP.preprocessing)[0]
    assert torch.allclose(found, torch.cat([levels[1], levels[3]], dim=-1), atol=1e-4)


@torch.inference_mode()
def test_images_do_not_influence_each_other(second, detail):
    images = torch.randn(3, 3, SIDE, SIDE)
    together = detail(second, images, DINOV2.preprocessing, GRID)
    for number in range(3):
        alone = detail(second, images[number : number + 1], DINOV2.preprocessing, GRID)
        assert torch.allclose(alone[0], together[number], atol=1e-4)


@torch.inference_mode()
def test_the_first_towers_normalisation_makes_no_difference(second, detail):
    colours = torch.rand(1, 3, SIDE, SIDE)

    def normalised(preprocessing):
        mean = torch.tensor(preprocessing.mean).view(3, 1, 1)
        return (colours - mean) / torch.tensor(preprocessing.std).view(3, 1, 1)

    found = [
        detail(second, normalised(family.preprocessing), family.preprocessing, GRID)
        for family in (CLIP, DINOV2)
    ]
    assert torch.allclose(*found, atol=1e-3)


def test_tokens_are_resized_row_by_row():
    tokens = torch.arange(9.0).view(1, 9, 1)
    assert torch.equal(on_grid(tokens, 3), tokens)
    expected = F.interpolate(tokens.view(1, 1, 3, 3), (6, 6), mode="bilinear")
    assert torch.allclose(on_grid(tokens, 6), expected.view(1, 36, 1))


def test_tokens_are_standardised():
    detail = Detail()
    tokens = 5 + 3 * torch.randn(1, 1000, Detail.TOKEN_WIDTH)
    detail.mean.copy_(tokens[0].mean(0))
    detail.deviation.copy_(tokens[0].std(0))
    found = detail.standardised(tokens)[0]
    assert torch.allclose(found.mean(0), torch.zeros(()), atol=1e-5)
    assert torch.allclose(found.std(0), torch.ones(()), atol=1e-5)


@torch.inference_mode()
def test_the_network_reads_the_detail_and_references_do_not(network):
    images = torch.randn(1, 3, SIDE, SIDE)
    text = network.encode_text(["bolt"])[0]
    tower = network.levels(images)
    assert tower.detail is None  # references compare the tokens of the first tower only
    levels = network.with_detail(tower, images)
    width = network.backbone.architecture.vision_width
    assert [level.shape for level in levels.tokens] == [(1, GRID * GRID, width)] * 2
    whole = network.compare(levels, text)
    assert torch.equal(whole.patches, network(images, text).patches)
    changed = levels.detail.clone()
    changed[0, 10] += torch.randn(Detail.TOKEN_WIDTH)
    other = network.compare(levels._replace(detail=changed), text)
    plain = slice(None, None, 3)  # without the means over 3 x 3 and 5 x 5 patches
    differs = (whole.patches[plain] != other.patches[plain]).any(-1)
    assert differs[:, 0, 10].all()
    assert differs.sum() == len(differs)


@torch.inference_mode()
def test_an_exported_graph_reads_the_detail(network):
    images = [torch.randn(2, 3, side, side) for side in (SIDE, SIDE - 28)]
    text = network.encode_text(["bolt"])
    ref = BackboneRef("small")
    config = CheckpointConfig(CONFIG, ref, scales=(SIDE - 28,), detail=ref)
    found = ScoreGraph(network, config, "industrial", text)(images)
    comparisons = [network(pixels, text[0]) for pixels in images]
    expected = score_scales(comparisons, SIDE, "industrial", config.image_weight)
    torch.testing.assert_close(found[:2], (expected.score, expected.probability))


@torch.inference_mode()
def test_half_precision_gives_nearly_the_same(network):
    images = torch.randn(1, 3, SIDE, SIDE)
    exact = network.with_detail(network.levels(images), images).detail
    half = copy.deepcopy(network)
    half.set_precision(torch.bfloat16)
    assert half.detail.vision.dtype == torch.bfloat16
    found = half.with_detail(half.levels(images), images).detail
    assert F.cosine_similarity(found, exact, dim=-1).min() > 0.98


def test_detail_in_an_adapted_tower_is_refused():
    with pytest.raises(ModelError, match="`detail` .* use `no_adapted_tower`"):
        NetworkConfig(detail=True)


def test_a_second_tower_must_be_there_and_fit(network, second):
    parts = network.backbone, network.adapters
    with pytest.raises(ModelError, match="needs a second tower; change `detail`"):
        MoECLIP(CONFIG, *parts)
    other = mini.untrained(image_size=64, width=64, blocks=4, text_width=64, text_blocks=1)
    with pytest.raises(ModelError, match="must have width 128 and 8 blocks, not 64 and 4"):
        MoECLIP(CONFIG, *parts, other)
    plain = replace(CONFIG, detail=False)
    with pytest.raises(ModelError, match="does not have a second tower"):
        MoECLIP(plain, *parts, second)
