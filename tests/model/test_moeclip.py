from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from support.standins import backbone_state

from moeclip_cli.errors import ModelError
from moeclip_cli.model.adapters import Adapters
from moeclip_cli.model.backbones.family import Backbone
from moeclip_cli.model.backbones.table import build_backbone, infer_architecture
from moeclip_cli.model.config import NetworkConfig
from moeclip_cli.model.frozen_tower import FrozenTower
from moeclip_cli.model.moeclip import MoECLIP

CONFIG = NetworkConfig(layers=(2, 4, 6, 8), rank=4, alpha=8.0, image_size=70)


@pytest.fixture(scope="module")
def backbone():
    state = backbone_state("small")
    return build_backbone(infer_architecture(state), state, quick_gelu=False)


def make_network(backbone, **options):
    torch.manual_seed(0)
    config = replace(CONFIG, **options)
    shape = backbone.architecture
    text_width = None if backbone.text is None else shape.text_width
    adapters = Adapters(config, shape.vision_width, text_width, shape.joint_dim)
    for adapter in adapters.moe:
        torch.nn.init.normal_(adapter.lora_b)
        torch.nn.init.normal_(adapter.router)
    return MoECLIP(config, backbone, adapters).eval()


@pytest.mark.parametrize(
    ("options", "maps"),
    [
        ({}, 12),
        ({"aggregation": False}, 4),
        ({"shared_projections": False}, 12),
        ({"layers": (1, 3, 5)}, 9),
        ({"layers": (7,), "aggregation": False}, 1),
        ({"experts": 6, "top_k": 3, "fofs": False, "relu": True, "image_size": 98}, 12),
    ],
)
@torch.inference_mode()
def test_every_option_runs_and_has_the_documented_shapes(backbone, options, maps):
    network = make_network(backbone, **options)
    size = network.config.image_size
    comparison = network(torch.randn(2, 3, size, size), network.encode_text(["bolt"])[0])
    patches = (size // 14) ** 2
    assert comparison.patches.shape == (maps, 2, patches, 2)
    assert comparison.image.shape == (2, 2)
    assert comparison.patches.abs().max() <= 1 + 1e-6
    experts = network.config.experts
    assert comparison.routing[0].probabilities.shape == (2, 1 + patches, experts)


@torch.inference_mode()
def test_adapters_may_follow_other_blocks_than_the_levels(backbone):
    images = torch.randn(2, 3, 70, 70)
    network = make_network(backbone, moe_layers=(3, 4, 7))
    vision, moe = backbone.vision, network.adapters.moe
    x, expected = vision.embed(images), {}
    for number, block in enumerate(vision.blocks, start=1):
        x = block(x)
        if number in (3, 4, 7):
            x = moe[(3, 4, 7).index(number)](x)[0]
        expected[number] = vision.patches(x)
    found = network.levels(images)
    assert len(found.routing) == len(moe) == 3
    assert len(found.tokens) == len(network.adapters.projections) == 4
    for level, tokens in zip((2, 4, 6, 8), found.tokens, strict=True):
        assert torch.equal(tokens, expected[level])


@torch.inference_mode()
def test_adapters_after_every_level_are_the_default(backbone):
    images = torch.randn(1, 3, 70, 70)
    default = make_network(backbone)
    named = MoECLIP(replace(CONFIG, moe_layers=CONFIG.layers), backbone, default.adapters)
    text = default.encode_text(["bolt"])[0]
    assert torch.equal(named(images, text).patches, default(images, text).patches)


def test_an_adapter_that_no_level_shows_is_refused(backbone):
    with pytest.raises(ModelError, match="adapter after block 7 has no effect.*last level is"):
        make_network(backbone, layers=(2, 4), moe_layers=(2, 7))


@torch.inference_mode()
def test_image_feature_comes_from_the_authors_level(backbone):
    """The last level's plain map; without aggregation the second of four."""
    images = torch.randn(1, 3, 70, 70)
    for aggregation, level in ((True, 3), (False, 1)):
        network = make_network(backbone, aggregation=aggregation)
        levels = network.levels(images).tokens
        plain = network.backbone.vision.norm(levels[level])
        expected = network.adapters.image_head(plain)
        assert torch.allclose(network.encode_image(images)[1], expected, atol=1e-6)


@torch.inference_mode()
def test_adapted_tokens_enter_the_next_block(backbone):
    images = torch.randn(1, 3, 70, 70)
    network = make_network(backbone)
    before = network.encode_image(images)[0][-1]
    network.adapters.moe[0].lora_b.data.neg_()
    assert not torch.allclose(network.encode_image(images)[0][-1], before, atol=1e-4)


@torch.inference_mode()
def test_text_features_are_unit_vectors_and_independent_of_other_names(backbone):
    network = make_network(backbone)
    together = network.encode_text(["bolt", "a much longer name of a part", "nut"])
    assert torch.allclose(together.norm(dim=1), torch.ones(3, 2), atol=1e-5)
    for i, name in enumerate(["bolt", "a much longer name of a part", "nut"]):
        assert torch.allclose(network.encode_text([name])[0], together[i], atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@torch.inference_mode()
def test_lower_precision_stays_close_and_keeps_the_router(backbone, dtype):
    images = torch.randn(2, 3, 70, 70)
    network = make_network(backbone)
    text = network.encode_text(["bolt"])[0]
    exact = network(images, text)
    state = backbone_state("small")
    own = build_backbone(infer_architecture(state), state, quick_gelu=False)
    rounded = MoECLIP(network.config, own, network.adapters)
    rounded.set_precision(dtype)
    result = rounded(images, text)
    assert result.patches.dtype == torch.float32
    assert rounded.adapters.moe[0].router.dtype == torch.float32
    assert (result.patches - exact.patches).abs().max() < 0.05


def test_backbone_stays_in_evaluation_mode(backbone):
    network = make_network(backbone).train()
    assert network.adapters.training
    assert not network.backbone.training


@pytest.mark.parametrize(("size", "hint"), [(100, "98 or 112"), (56, "70 or 84"), (0, "at least")])
def test_image_sizes_that_do_not_fit_are_refused_with_ones_that_do(backbone, size, hint):
    with pytest.raises(ModelError, match=hint):
        make_network(backbone, image_size=size)


def test_an_adapter_after_a_missing_block_is_refused(backbone):
    with pytest.raises(ModelError, match="follows block 9, but the backbone has only 8"):
        make_network(backbone, layers=(3, 9))


@torch.inference_mode()
def test_first_choices_are_those_of_the_patches_in_a_grid(backbone):
    network = make_network(backbone)
    comparison = network(torch.randn(2, 3, 70, 70), network.encode_text(["bolt"])[0])
    for adapter, routing in enumerate(comparison.routing):
        grid = comparison.first_choice(adapter)
        assert grid.shape == (2, 5, 5)
        for row in range(5):
            for column in range(5):
                # Token 0 is the class token.
                token = routing.probabilities[:, 1 + 5 * row + column]
                assert torch.equal(grid[:, row, column], token.argmax(dim=-1))


@torch.inference_mode()
def test_a_vision_tower_works_without_a_text_tower(backbone):
    network = make_network(backbone)
    images = torch.randn(2, 3, 70, 70)
    text = network.encode_text(["bolt"])[0]
    vision_only = Backbone(backbone.vision, None, replace(backbone.architecture, text_width=None))
    alone = make_network(vision_only)
    assert alone.adapters.text_layer is None
    trained = {k: v for k, v in network.adapters.state_dict().items() if "text_layer" not in k}
    alone.adapters.load_state_dict(trained, strict=False)
    assert torch.equal(alone(images, text).patches, network(images, text).patches)
    learned = alone.encode_text(["bolt", "carpet"])
    assert learned.shape == (2, alone.adapters.learned_text.features.shape[0], 2)
    assert torch.equal(learned[0], learned[1])
    assert torch.allclose(learned.norm(dim=1), torch.ones(2, 2))


@torch.inference_mode()
def test_adapters_beside_a_frozen_tower_leave_its_levels_as_they_are(backbone):
    network = make_network(backbone, adapted_tower=False)
    images = torch.randn(2, 3, 70, 70)
    text = network.encode_text(["bolt"])[0]
    levels = network.levels(images)
    tower = FrozenTower(network.config, backbone)
    for ours, theirs in zip(levels.tokens, tower.levels(images).tokens, strict=True):
        assert torch.equal(ours, theirs)
    from_levels = network.compare(levels, text)
    assert torch.equal(from_levels.patches, network(images, text).patches)
    assert torch.equal(from_levels.image, network(images, text).image)
    assert len(from_levels.routing) == 4
    assert from_levels.first_choice(0).shape == (2, 5, 5)
    # Only the first level, whose blocks no adapter precedes, is that of an adapted tower.
    adapted = make_network(backbone)
    alike = [
        torch.allclose(ours, theirs, atol=1e-5)
        for ours, theirs in zip(
            from_levels.patches[::3], adapted(images, text).patches[::3], strict=True
        )
    ]
    assert alike == [True, False, False, False]


@torch.inference_mode()
def test_self_comparison_changes_the_result_once_it_is_trained(backbone):
    network = make_network(backbone, adapted_tower=False, self_comparison=True)
    images = torch.randn(1, 3, 70, 70)
    text = network.encode_text(["bolt"])[0]
    before = network(images, text).patches
    plain = make_network(backbone, adapted_tower=False)
    plain.adapters.load_state_dict(network.adapters.state_dict(), strict=False)
    assert torch.equal(before, plain(images, text).patches)
    torch.nn.init.normal_(network.adapters.self_comparison[0].out.weight)
    changed = network(images, text).patches != before
    assert changed[:3].any()
    assert not changed[3:].any()


def test_self_comparison_in_an_adapted_tower_is_refused(backbone):
    with pytest.raises(ModelError, match="use `no_adapted_tower`"):
        make_network(backbone, self_comparison=True)
