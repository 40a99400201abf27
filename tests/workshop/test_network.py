import dataclasses

import pytest
import torch
from mini.batches import normalise
from mini.fold import fold_text_side
from mini.losses import total_loss
from mini.network import fresh_network, load_weights
from mini.validation import VALIDATED_PROMPT
from support.mini import TINY

from moeclip_cli.errors import ModelError, UsageError
from moeclip_cli.model.experts import MoEAdapter


def folded_network(**changes):
    network = fresh_network(dataclasses.replace(TINY, **changes))
    fold_text_side(network)
    return network


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
    networks = [folded_network(image_size=size) for size in (TINY.image_size, 128)]
    for network in networks:
        load_weights(network, tiny_model.folder)

    tokens = [network.backbone.vision.embed(image) for network in networks]

    assert len(networks[1].backbone.vision.positional_embedding) == 65
    torch.testing.assert_close(*tokens, atol=1e-4, rtol=1e-4)


def test_missing_weights_and_weights_of_another_shape_are_rejected(tiny_model, tmp_path):
    with pytest.raises(UsageError, match="does not have the shape of the recipe"):
        load_weights(folded_network(width=128), tiny_model.folder)
    with pytest.raises(ModelError, match="nowhere"):
        load_weights(folded_network(), tmp_path / "nowhere")


def test_folding_the_text_side_changes_nothing_but_what_other_prompts_say():
    network = fresh_network(TINY)
    texts = network.encode_text([VALIDATED_PROMPT, "bolt"]).detach()
    trained = {name for name, weight in network.named_parameters() if weight.requires_grad}

    fold_text_side(network)

    found = network.encode_text([VALIDATED_PROMPT, "bolt"])
    torch.testing.assert_close(found[0], texts[0], atol=1e-7, rtol=0)
    assert torch.equal(found[0], found[1]) and not torch.allclose(found[1], texts[1])
    assert (network.backbone.text, network.backbone.architecture.text_width) == (None, None)
    left = {name for name, weight in network.named_parameters() if weight.requires_grad}
    assert left == trained - {"adapters.text_layer.weight"}
