from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from support.samples import save_image

from moeclip_cli import Inspector, Profile
from moeclip_cli.errors import ModelError, UsageError
from moeclip_cli.inspection.conformal import conformal_threshold
from moeclip_cli.inspection.profile import calibrated

SIDE = 126  # 81 patches, more than are kept


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    paths = [folder / f"{number}.png" for number in range(6)]
    for number, path in enumerate(paths):
        save_image(path, seed=number, width=SIDE, height=SIDE)
    return paths


def compared(paths, **options):
    return Inspector.load(references=paths, image_size=SIDE, device="cpu", **options)


def profile_of(inspector):
    found = inspector.references
    return calibrated(found, found.scores, "bracket", inspector.settings, "jackknife+", 0.2)


@pytest.fixture(scope="module")
def inspector(good):
    return compared(good[:4], reference_patches=64)


@pytest.fixture
def file(inspector, tmp_path):
    path = tmp_path / "bracket.moeclip"
    profile_of(inspector).write(path)
    return path


def score(inspector, image):
    (result,) = inspector.score(image)
    return result.score


def test_the_file_gives_the_same_scores_without_images_or_model(inspector, good, file):
    loaded = Profile.load(file)
    assert loaded == profile_of(inspector)
    line = Inspector.load(profile=loaded, device="cpu")

    assert line.settings == inspector.settings
    assert line.threshold.source.endswith("on 4 references, each left out in turn")
    for path in good:
        assert score(line, path) == pytest.approx(score(inspector, path), abs=1e-6)


def test_the_threshold_is_from_the_scores_of_the_kept_patches(inspector, good):
    assert inspector.references.bank.counts() == [64] * 4
    profile = profile_of(inspector)
    assert profile.scores == tuple(sorted(inspector.references.scores))
    assert profile.threshold == conformal_threshold(profile.scores, 0.2)
    left_out = compared(good[1:4], reference_patches=64)
    assert inspector.references.scores[0] == pytest.approx(score(left_out, good[0]), abs=1e-5)


def test_32_references_take_less_than_5_megabytes(inspector, tmp_path):
    found = inspector.references
    many = found
    for copy in range(1, 8):
        digests = tuple(f"{copy}{digest}" for digest in found.digests)
        many = many.joined(dataclasses.replace(found, digests=digests))
    assert len(many.names) == 32
    calibrated(many, many.scores, "bracket", inspector.settings, "jackknife+", 0.05).write(
        tmp_path / "many.moeclip"
    )
    assert (tmp_path / "many.moeclip").stat().st_size < 5_000_000


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"image_size": 140}, "its image size is 126, but here it is 140"),
        ({"precision": "bf16"}, "its precision is float32"),
        ({"model": "moeclip-mini"}, "its model is dinov2-vits14"),
        ({"references": ["x.png"]}, "contains its references; omit `reference`"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_other_settings_are_refused(options, complaint, file):
    with pytest.raises(UsageError, match=complaint):
        Inspector.load(profile=Profile.load(file), device="cpu", **options)


def test_a_model_that_is_not_built_in_is_asked_for(inspector):
    settings = inspector.settings | {"model": "hf://somebody/something"}
    profile = dataclasses.replace(profile_of(inspector), settings=settings)
    with pytest.raises(UsageError, match="hf://somebody/something, which is not built in"):
        Inspector.load(profile=profile, device="cpu")


def test_patches_of_another_width_are_refused(inspector, good):
    profile = profile_of(inspector)
    bank = profile.references.bank
    narrow = dataclasses.replace(bank, levels=tuple(level[:, :100] for level in bank.levels))
    references = dataclasses.replace(profile.references, bank=narrow)
    changed = Inspector.load(
        profile=dataclasses.replace(profile, references=references), device="cpu"
    )
    with pytest.raises(ModelError, match="references do not fit the model"):
        list(changed.score(good[0]))


def _metadata(change):
    def apply(tensors, record):
        return tensors, record | change(record)

    return apply


def _level(change):
    def apply(tensors, record):
        return tensors | {"level.0": change(tensors["level.0"])}, record

    return apply


def _profile(**changes):
    def change(record):
        return {"profile": json.dumps(json.loads(record["profile"]) | changes)}

    return _metadata(change)


DAMAGE = {
    "format": _metadata(lambda r: {"format": 2}),
    "names": _metadata(lambda r: {"names": r["names"][1:]}),
    "kind of names": _metadata(lambda r: {"names": [1, 2, 3, 4]}),
    "digests": _metadata(lambda r: {"digests": [r["digests"][0]] * 4}),
    "other digests": _metadata(lambda r: {"digests": ["a", "b", "c", "d"]}),
    "scores": _metadata(lambda r: {"scores": [2, 0, 0, 0]}),
    "counts": _metadata(lambda r: {"counts": [64, 64, 64, 65]}),
    "no patches": _metadata(lambda r: {"counts": [128, 0, 64, 64]}),
    "rate": _metadata(lambda r: {"requested": 0}),
    "rotations": _metadata(lambda r: {"rotations": 1000}),
    "surprise": _metadata(lambda r: {"surprise": 1}),
    "length": _level(lambda level: level[1:]),
    "type": _level(lambda level: level.float()),
    "dimensions": _level(lambda level: level[None]),
    "not finite": _level(lambda level: level * float("nan")),
    "not unit": _level(lambda level: level * 2),
    "names of levels": lambda tensors, record: ({"a": tensors["level.0"]}, record),
    "no levels": lambda tensors, record: ({}, record),
    "threshold": _profile(threshold=1.5),
    "no scores": _profile(scores=[]),
    "settings": _profile(settings={}),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_invalid_files_are_refused(damage, file):
    from safetensors import safe_open

    with safe_open(file, framework="pt") as stream:
        record = json.loads(stream.metadata()["moeclip-profile"])
    tensors, record = DAMAGE[damage](load_file(file), record)
    tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
    save_file(tensors, file, {"moeclip-profile": json.dumps(record)})

    with pytest.raises(UsageError, match=r"bracket\.moeclip is not a profile"):
        Profile.load(file)


def test_names_that_are_not_utf8_survive(inspector, tmp_path):
    profile = profile_of(inspector)
    names = ("\udcff.png", "ü.png", "a\n.png", "b.png")
    renamed = dataclasses.replace(profile.references, names=names)
    dataclasses.replace(profile, references=renamed).write(tmp_path / "odd.moeclip")

    assert Profile.load(tmp_path / "odd.moeclip").references.names == names


def test_a_file_larger_than_any_profile_is_refused_unread(file):
    with file.open("r+b") as stream:
        stream.truncate(500_000_001)
    with pytest.raises(UsageError, match="it is larger than 500 MB"):
        Profile.load(file)


def test_cut_files_and_checkpoints_are_refused(file):
    content = file.read_bytes()
    for size in (9, 100, len(content) // 2, len(content) - 1):
        file.write_bytes(content[:size])
        with pytest.raises(UsageError, match=r"bracket\.moeclip is not a profile"):
            Profile.load(file)
    save_file({"level.0": torch.zeros(2, 2)}, file)
    with pytest.raises(UsageError, match=r"bracket\.moeclip is not a profile"):
        Profile.load(file)


def test_added_parts_are_references_and_the_threshold_follows(inspector, good):
    profile = profile_of(inspector)
    more = Inspector.load(profile=profile, device="cpu").more_references(good[3:])
    assert len(more.names) == 6  # one of the three was known
    changed = profile.updated(more)

    whole = compared(good, reference_patches=64)
    assert more.scores[4:] == pytest.approx(whole.references.scores[4:], abs=1e-5)
    # Earlier scores are kept, which is never too low.
    assert more.scores[:4] == profile.references.scores
    assert all(
        kept >= exact - 1e-5
        for kept, exact in zip(more.scores, whole.references.scores, strict=True)
    )
    assert changed.images == 6
    assert changed.false_alarms == 0.2
    assert changed.threshold == conformal_threshold(more.scores, 0.2)
    assert changed.settings == whole.settings
    line = Inspector.load(profile=changed, device="cpu")
    assert score(line, good[5]) == pytest.approx(score(whole, good[5]), abs=1e-5)


def test_a_removed_part_leaves_nothing(inspector, good):
    profile = profile_of(inspector)
    found = profile.references
    changed = profile.updated(found.without([found.number("1.png")]))
    expected = compared([good[0], *good[2:4]], reference_patches=64)
    assert changed.settings == expected.settings
    for mine, theirs in zip(
        changed.references.bank.levels, expected.references.bank.levels, strict=True
    ):
        assert torch.equal(mine, theirs)
    line = Inspector.load(profile=changed, device="cpu")
    assert score(line, good[1]) == pytest.approx(score(expected, good[1]), abs=1e-6)
    with pytest.raises(UsageError, match="nothing is not the name of one reference"):
        found.number("nothing")
    with pytest.raises(UsageError, match="at least two"):
        profile.updated(found.without([0, 1, 2]))


def test_merged_profiles_have_the_references_of_both(inspector, good):
    one, other = profile_of(inspector), profile_of(compared(good[2:], reference_patches=64))
    merged = one.merged(other)
    assert merged.images == 6
    assert merged.settings == compared(good, reference_patches=64).settings
    assert merged.references.scores == one.references.scores + other.references.scores[2:]
    with pytest.raises(UsageError, match="different prompts"):
        one.merged(dataclasses.replace(other, prompt="screw"))
    with pytest.raises(UsageError, match="its image size is 126"):
        one.merged(dataclasses.replace(other, settings=other.settings | {"image_size": 224}))
    with pytest.raises(UsageError, match="1 and 2 angles"):
        one.references.joined(dataclasses.replace(other.references, rotations=2))


def test_a_split_profile_keeps_its_threshold_when_parts_are_added(inspector, good):
    found = inspector.references
    held_out = [score(inspector, path) for path in good[4:]]
    profile = calibrated(found, held_out, "bracket", inspector.settings, "split", 0.05)
    assert "At most 33.3%" in profile.guarantee  # two images allow no less
    with pytest.raises(UsageError, match="are references already"):
        inspector.more_references(good[:2])
    changed = profile.updated(inspector.more_references(good[4:5]))
    assert (changed.threshold, changed.scores) == (profile.threshold, profile.scores)
    assert len(changed.references.names) == 5
    assert "split" in profile.merged(changed).rule


def test_the_rate_improves_with_the_number_of_references(inspector):
    found, settings = inspector.references, inspector.settings
    few = calibrated(found, found.scores, "bracket", settings, "jackknife+", 0.05)
    assert few.false_alarms == 0.2
    assert "40% in the worst case" in few.guarantee
    digests = tuple(f"other{digest}" for digest in found.digests)
    more = few.updated(found.joined(dataclasses.replace(found, digests=digests)))
    assert more.false_alarms == pytest.approx(1 / 9)
    assert np.isclose(more.threshold, few.threshold)


def test_the_threshold_is_read_without_the_references(file, tmp_path):
    read = Profile.load_threshold(file)
    whole = Profile.load(file)
    assert type(read) is Profile
    assert (read.threshold, read.scores, read.settings) == (
        whole.threshold, whole.scores, whole.settings,
    )  # fmt: skip
    other = tmp_path / "other.moeclip"
    save_file({"level.0": torch.zeros(1)}, other)
    with pytest.raises(UsageError, match="is not a profile"):
        Profile.load_threshold(other)
