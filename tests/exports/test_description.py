from __future__ import annotations

from dataclasses import replace

import pytest

from moeclip_cli.errors import ModelError, UsageError
from moeclip_cli.exports.description import Description
from moeclip_cli.model.preprocessing import Preprocessing

DESCRIBED = Description(
    model="visa.safetensors",
    model_digest="ab",
    backbone="ViT-L-14-336",
    backbone_digest="cd",
    prompts=("bolt", 'nut "M8", é'),
    reads_prompts=True,
    threshold=0.25,
    threshold_source="checkpoint: by hand",
    image_sizes=(518, 420),
    domain="industrial",
    image_weight=0.5,
    resizes=False,
    mean=(0.5, 0.25, 0.125),
    std=(1.0, 2.0, 3.0),
    interpolation="bilinear",
    patch_size=14,
    references=("ab", "cd"),
    good_scores=(0.125, 0.5),
    rule="jackknife+",
    origin="references",
    further_settings={"references": "ef", "tile": 64, "overlap": 0.25},
)


def test_metadata_keep_everything():
    metadata = DESCRIBED.to_metadata()
    assert Description.from_metadata(metadata | {"other": "of another program"}) == DESCRIBED
    assert metadata["moeclip.model"] == "visa.safetensors"
    assert metadata["moeclip.image_sizes"] == "[518, 420]"


def test_only_a_band_raises_the_format():
    with_band = replace(DESCRIBED, unsure_threshold=0.125, unsure_source="profile: 20%")
    metadata = with_band.to_metadata()
    assert metadata["moeclip.format"] == "2"
    assert Description.from_metadata(metadata) == with_band
    assert DESCRIBED.to_metadata()["moeclip.format"] == "1"
    assert not any("unsure" in key for key in DESCRIBED.to_metadata())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"moeclip.format": "3"}, "no metadata in format 1 or 2"),
        ({"moeclip.threshold": "high"}, "not JSON"),
        ({"moeclip.threshold": '"high"'}, "'threshold' must be a finite number"),
        ({"moeclip.domain": "other"}, "'domain' must be industrial or medical"),
        ({"moeclip.prompts": "[]"}, "lacks prompts"),
        ({"moeclip.mean": "[0.5]"}, "lacks prompts, image sizes or statistics"),
        ({"moeclip.unheard": "1"}, "unknown entry 'unheard'"),
    ],
)
def test_other_metadata_are_refused(changed, message):
    with pytest.raises(ModelError, match=message):
        Description.from_metadata(DESCRIBED.to_metadata() | changed)


def test_a_graph_has_one_input_for_each_size_unless_it_resizes():
    assert DESCRIBED.inputs == ("images_518", "images_420")
    assert replace(DESCRIBED, resizes=True).inputs == ("images",)
    assert DESCRIBED.preprocessing == Preprocessing((0.5, 0.25, 0.125), (1.0, 2.0, 3.0), "bilinear")


def test_a_prompt_has_a_number_if_the_model_reads_it():
    assert DESCRIBED.number('nut "M8", é') == 1
    with pytest.raises(UsageError, match='exported for the prompts "bolt", .*not "screw"'):
        DESCRIBED.number("screw")
    assert replace(DESCRIBED, reads_prompts=False).number("screw") == 0
    with pytest.raises(UsageError, match="`prompt` is empty"):
        replace(DESCRIBED, reads_prompts=False).number(" ")


def test_settings_are_those_of_the_model_and_of_its_references_and_tiles():
    assert DESCRIBED.settings["backbone"] == "ViT-L-14-336"
    assert DESCRIBED.settings["scales"] == [420]
    assert DESCRIBED.settings.items() > DESCRIBED.further_settings.items()
    assert DESCRIBED.of_good_parts.percentile(0.3) == 50


def test_inputs_are_squares_unless_the_model_keeps_the_aspect_ratio():
    assert DESCRIBED.input_size(100, 400, 518) == (518, 518)
    assert replace(DESCRIBED, keeps_aspect=True).input_size(100, 400, 518) == (252, 1036)


def test_a_reference_is_known_by_its_digest():
    assert DESCRIBED.compared.owner("cd") == 1
    assert DESCRIBED.compared.owner("xy") == -1
    assert replace(DESCRIBED, references=()).compared is None
