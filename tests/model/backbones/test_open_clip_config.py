from __future__ import annotations

import open_clip
import pytest
import torch
from support.standins import backbone_state

from moeclip_cli.errors import ModelError
from moeclip_cli.model.backbones.open_clip_config import infer_config, named_config


def shapes_of(name):
    """A model's state dict without memory behind it."""
    config = open_clip.get_model_config(name)
    with torch.device("meta"):
        clip = open_clip.CLIP(config["embed_dim"], config["vision_cfg"], config["text_cfg"])
    return clip.state_dict()


@pytest.mark.parametrize("name", ["ViT-L-14-336", "ViT-B-32", "ViT-B-16-plus-240"])
def test_the_model_is_recognised_by_its_weights(name):
    assert infer_config(shapes_of(name), None)[0] == name


@pytest.mark.parametrize("name", ["ViT-H-14", "ViT-g-14", "ViT-bigG-14"])
def test_head_width_comes_from_the_model_with_the_same_shapes(name):
    found = infer_config(shapes_of(name), None)[1]["vision_cfg"]
    assert found["head_width"] == open_clip.get_model_config(name)["vision_cfg"]["head_width"]


def test_unknown_shapes_get_heads_64_wide():
    name, config = infer_config(backbone_state("small"), None)
    assert name is None
    vision = config["vision_cfg"]
    assert (vision["width"], vision["head_width"], vision["layers"]) == (128, 64, 8)
    assert (vision["image_size"], vision["patch_size"]) == (56, 14)
    assert config["text_cfg"]["heads"] == 1


def test_named_model_must_have_the_shapes_of_the_weights():
    with pytest.raises(ModelError, match="do not have the shapes of 'ViT-B-32'"):
        infer_config(shapes_of("ViT-B-16"), "ViT-B-32")


def test_a_missing_tensor_is_named():
    state = backbone_state("small")
    del state["positional_embedding"]
    with pytest.raises(ModelError, match="not those of a CLIP ViT .*'positional_embedding'"):
        infer_config(state, None)


def test_positions_of_an_oblong_image_are_refused():
    state = backbone_state("small") | {"visual.positional_embedding": torch.zeros(1 + 12, 128)}
    with pytest.raises(ModelError, match="not those of a square image"):
        infer_config(state, None)


def test_misspelt_name_gets_a_suggestion():
    with pytest.raises(ModelError, match="ViT-L-14-336"):
        named_config("ViT-L-14-366")


@pytest.mark.parametrize("name", ["RN50", "ViT-B-16-SigLIP", "coca_ViT-L-14", "EVA02-B-16"])
def test_models_other_than_a_plain_clip_vit_are_refused(name):
    with pytest.raises(ModelError, match="not a CLIP ViT with a CLIP text tower"):
        named_config(name)


def test_more_blocks_than_any_tower_has_are_refused():
    state = backbone_state("small")
    state |= {f"transformer.resblocks.{number}.x": torch.ones(1) for number in range(257)}
    with pytest.raises(ModelError, match="has 257 blocks; supported are up to 256"):
        infer_config(state, None)
