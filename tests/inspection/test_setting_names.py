from __future__ import annotations

from moeclip_cli.inspection.setting_names import file_of, label, shown

DIGEST = "1a2b3c4d" * 8
SETTINGS = {"model": "mini.pth", "model_digest": DIGEST, "references": DIGEST, "image_size": 70}


def test_a_digest_is_told_with_the_name_of_its_file():
    assert label("model_digest") == "model"
    assert shown("model_digest", SETTINGS) == "mini.pth (SHA-256 1a2b3c4d...)"
    assert shown("preprocessing_digest", {"preprocessing_digest": DIGEST}) == "SHA-256 1a2b3c4d..."
    assert shown("references", SETTINGS) == "a set with SHA-256 1a2b3c4d..."


def test_the_images_of_a_training_are_told_by_their_lists():
    training = {"training": DIGEST, "validation": "generated 111 8"}
    assert (label("training"), shown("training", training)) == (
        "list of training images", "SHA-256 1a2b3c4d...",
    )  # fmt: skip
    assert shown("validation", training) == "generated 111 8"


def test_other_settings_are_told_as_they_are_and_missing_ones_as_not_set():
    assert (label("image_size"), shown("image_size", SETTINGS)) == ("image size", "70")
    assert (file_of("image_size"), shown("references", {})) == (None, "not set")
