import dataclasses

import pytest
import torch
from mini.batches import normalise
from mini.losses import total_loss
from mini.network import fresh_network, load_weights
from support.mini import TINY

from moeclip_cli.errors import ModelError, UsageError
from moeclip_cli.model.experts import MoEAdapter


@pytest.mark.parametrize(
    "changes",
    [
        {"experts": False, "etf_weight": 0.0},
        {"fofs": False, "etf_weight": 0.0},
        {"aggregation": False},
    ],
)
def test_ablated_components_have_no_effect(changes, batch):
    recipe = dataclasses.replace(TINY, **changes)
    complete, ablated = fresh_network(TINY), fresh_network(recipe)
    images = normalise(batch.images, complete.preprocessing)
    text = complete.encode_text(["nut"])[0].detach()

    comparison = ablated(images, text)

    reference = complete(images, text)
    if "aggregation" in changes:
        assert (len(reference.patches), len(comparison.patches)) == (12, 4)
    else:
        assert not torch.equal(reference.patches, comparison.patches)
    adapters = [module for module in ablated.modules() if isinstance(module, MoEAdapter)]
    total_loss(comparison, adapters, batch, recipe.etf_weight)[0].backward()
    has_gradient = [a.lora_b.grad is not None and bool(a.lora_b.grad.any()) for a in adapters]
    assert has_gradient == [changes.get("experts", True)] * 4


def test_position_embeddings_are_resized_to_larger_images(tiny_model):
    image = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    networks = [
        fresh_network(dataclasses.replace(TINY, image_size=size)) for size in (TINY.image_size, 128)
    ]
    for network in networks:
        load_weights(network, tiny_model.folder)

    tokens = [network.backbone.vision.embed(image) for network in networks]

    assert len(networks[1].backbone.vision.positional_embedding) == 65
    torch.testing.assert_close(*tokens, atol=1e-4, rtol=1e-4)


def test_missing_weights_and_weights_of_another_shape_are_rejected(tiny_model, tmp_path):
    with pytest.raises(UsageError, match="does not have the shape of the recipe"):
        load_weights(fresh_network(dataclasses.replace(TINY, width=128)), tiny_model.folder)
    with pytest.raises(ModelError, match="nowhere"):
        load_weights(fresh_network(TINY), tmp_path / "nowhere")
