import dataclasses
import json
import os

import pytest

from moeclip_cli import Inspector, Profile
from moeclip_cli.checkpoints.builtin import EARLIER_DIGESTS
from moeclip_cli.errors import UsageError


@pytest.fixture
def profile(inspector):
    return Profile(0.61, 0.05, 40, "metal bracket", inspector.settings, scores=(0.2, 0.3, 0.6))


@pytest.fixture
def load(profile, standin):
    """Load the model anew with the profile, and with other options than it was made with."""

    def make(image_size=70, **options):
        return Inspector.load(
            str(standin.model),
            backbone_weights=standin.backbone,
            image_size=image_size,
            device="cpu",
            profile=profile,
            **options,
        )

    return make


@pytest.fixture
def file(profile, tmp_path):
    path = tmp_path / "bracket.json"
    path.write_text(profile.to_json(), encoding="utf-8")
    return path


def test_a_profile_is_read_as_it_was_written(profile, file):
    assert Profile.load(file) == profile


def test_a_profile_of_format_1_is_read(profile, file):
    content = json.loads(file.read_text(encoding="utf-8")) | {"format": 1}
    del content["scores"], content["rule"]
    file.write_text(json.dumps(content), encoding="utf-8")

    assert Profile.load(file) == dataclasses.replace(profile, scores=())


def test_a_band_is_kept_and_only_it_raises_the_format(profile, file):
    plain = json.loads(profile.to_json())
    assert plain["format"] == 2
    assert "unsure" not in profile.to_json()
    with_band = dataclasses.replace(profile, unsure_threshold=0.5, unsure_rate=0.2)
    content = json.loads(with_band.to_json())
    assert content["format"] == 3
    file.write_text(with_band.to_json(), encoding="utf-8")
    assert Profile.load(file) == with_band
    for wrong in ({"unsure_threshold": 0.7}, {"unsure_rate": 2.0}, {"unsure_rate": None}):
        file.write_text(json.dumps(content | wrong), encoding="utf-8")
        with pytest.raises(UsageError, match="is not a profile that moeclip"):
            Profile.load(file)


def test_rows_tell_how_many_good_parts_score_lower(profile, inspector, parts):
    (plain,) = inspector.score(parts / "d.png")
    assert plain.percentile is None

    around = (plain.score - 0.02, plain.score - 0.01, plain.score, plain.score + 0.01)
    known = dataclasses.replace(profile, scores=tuple(sorted(around)))
    (result,) = Inspector(inspector.model, device="cpu", profile=known).score(parts / "d.png")
    assert result.score == plain.score
    assert result.row().percentile == 50

    unknown = dataclasses.replace(profile, scores=())
    (result,) = Inspector(inspector.model, device="cpu", profile=unknown).score(parts / "d.png")
    assert result.percentile is None


def test_an_inspector_takes_its_threshold(profile, inspector):
    calibrated = Inspector(inspector.model, device="cpu", profile=profile)

    assert calibrated.threshold.value == 0.61
    assert calibrated.threshold.source == "profile: 5% false alarms on 40 good images"


@pytest.mark.parametrize(
    "options", [{"domain": "medical"}, {"precision": "bf16"}], ids=["domain", "precision"]
)
def test_other_settings_are_refused(options, load):
    name = next(iter(options))
    with pytest.raises(UsageError, match=f"its {name} is .* calibrate again"):
        load(**options)


def test_a_threshold_is_carried_over_to_another_precision(profile, inspector):
    other = {**inspector.settings, "precision": "bfloat16"}
    with pytest.raises(UsageError, match="its precision"):
        profile.check(other)
    carried = profile.carried_over("bf16")
    carried.check(other)
    assert carried.threshold == profile.threshold


def test_another_image_size_is_refused(load):
    with pytest.raises(UsageError, match="its image size is 70, but here it is 84"):
        load(image_size=84)


def test_other_scales_are_refused(profile, inspector):
    config = dataclasses.replace(inspector.model.config, scales=(84,))
    model = dataclasses.replace(inspector.model, config=config)

    with pytest.raises(UsageError, match=r"its scales is \[\], but here it is \[84\]"):
        Inspector(model, device="cpu", profile=profile)


def test_another_model_of_the_same_name_is_refused(profile, inspector):
    other = dataclasses.replace(inspector.model, digest="0" * 64)

    with pytest.raises(UsageError, match=r"its model is standin\.pth \(SHA-256"):
        Inspector(other, device="cpu", profile=profile)


def test_a_built_in_model_without_its_text_tower_is_the_same(profile):
    earlier, present = next(iter(EARLIER_DIGESTS.items()))
    before = dataclasses.replace(profile, settings={**profile.settings, "model_digest": earlier})

    before.check({**profile.settings, "model_digest": present})
    with pytest.raises(UsageError, match="its model is"):
        before.check({**profile.settings, "model_digest": "0" * 64})


def test_a_renamed_model_is_the_same(profile, inspector):
    renamed = dataclasses.replace(inspector.model, name="copy.pth")

    assert Inspector(renamed, device="cpu", profile=profile).threshold.value == 0.61


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"Cannot read the profile .*none\.json: No such file"):
        Profile.load(tmp_path / "none.json")


@pytest.mark.parametrize(
    "change",
    [
        {"format": 3},
        {"scores": [1.5]},
        {"scores": ["high"]},
        {"scores": 3},
        {"rule": "guess"},
        {"threshold": 1.5},
        {"threshold": "high"},
        {"false_alarms": "few"},
        {"images": 1.5},
        {"prompt": 3},
        {"settings": None},
        {"settings": [1]},
        {"surprise": 1},
    ],
    ids=str,
)
def test_invalid_profiles_are_refused(change, file):
    content = json.loads(file.read_text(encoding="utf-8")) | change
    file.write_text(json.dumps(content), encoding="utf-8")

    with pytest.raises(UsageError, match=r"bracket\.json is not a profile"):
        Profile.load(file)


@pytest.mark.parametrize("text", ["", "{", "[]", "1", "{}", '"text"', "\xff", "[" * 100_000])
def test_other_files_are_refused(text, file):
    file.write_bytes(text.encode("latin-1"))

    with pytest.raises(UsageError, match=r"bracket\.json is not a profile"):
        Profile.load(file)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="requires POSIX")
def test_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match=r"Cannot read the profile .*pipe: it is a pipe"):
        Profile.load(tmp_path / "pipe")
