from __future__ import annotations

import open_clip
import pytest
import torch
from standins import backbone_state

from moeclip_cli.errors import ModelError
from moeclip_cli.model.architecture import infer_architecture, named_architecture


def shapes_of(name):
    """A model's state dict without memory behind it."""
    config = open_clip.get_model_config(name)
    with torch.device("meta"):
        clip = open_clip.CLIP(config["embed_dim"], config["vision_cfg"], config["text_cfg"])
    return clip.state_dict()


@pytest.mark.parametrize("name", ["ViT-L-14-336", "ViT-B-32", "ViT-B-16-plus-240"])
def test_architecture_is_read_off_the_weights(name):
    assert infer_architecture(shapes_of(name)).name == name


@pytest.mark.parametrize("name", ["ViT-H-14", "ViT-g-14", "ViT-bigG-14"])
def test_head_width_comes_from_the_model_with_the_same_shapes(name):
    found = infer_architecture(shapes_of(name)).config["vision_cfg"]
    assert found["head_width"] == open_clip.get_model_config(name)["vision_cfg"]["head_width"]


def test_unknown_shapes_get_heads_64_wide():
    architecture = infer_architecture(backbone_state("small"))
    assert architecture.name is None
    vision = architecture.config["vision_cfg"]
    assert (vision["width"], vision["head_width"], vision["layers"]) == (128, 64, 8)
    assert (vision["image_size"], vision["patch_size"]) == (56, 14)
    assert architecture.config["text_cfg"]["heads"] == 1


def test_named_model_must_have_the_shapes_of_the_weights():
    with pytest.raises(ModelError, match="do not have the shapes of 'ViT-B-32'"):
        infer_architecture(shapes_of("ViT-B-16"), "ViT-B-32")


def test_other_tensors_are_no_clip():
    with pytest.raises(ModelError, match="not those of a CLIP ViT"):
        infer_architecture({"conv1.weight": torch.zeros(64, 3, 7, 7)})


def test_misspelt_name_gets_a_suggestion():
    with pytest.raises(ModelError, match="ViT-L-14-336"):
        named_architecture("ViT-L-14-366")


@pytest.mark.parametrize("name", ["RN50", "ViT-B-16-SigLIP", "coca_ViT-L-14", "EVA02-B-16"])
def test_models_that_are_no_plain_clip_vit_are_refused(name):
    with pytest.raises(ModelError, match="not a CLIP ViT with a CLIP text tower"):
        named_architecture(name)
