from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from support.samples import save_image

from moeclip_cli import Inspector
from moeclip_cli.errors import UsageError
from moeclip_cli.inspection.references import References, turned
from moeclip_cli.model.bank import PatchBank, thinned

SIDE = 70


def with_references(standin, references, **options):
    return Inspector.load(
        str(standin.model),
        backbone_weights=standin.backbone,
        image_size=SIDE,
        device="cpu",
        references=references,
        **options,
    )


@pytest.fixture
def good(tmp_path):
    """Four images, the last one of another kind."""
    paths = [tmp_path / f"good{number}.png" for number in range(4)]
    for number, path in enumerate(paths[:3]):
        save_image(path, seed=number, width=SIDE, height=SIDE)
    noise = np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)
    Image.fromarray(noise).save(paths[3])
    return paths


def scores(inspector, images, **options):
    return [result.score for result in inspector.score(images, **options)]


def test_the_score_is_the_distance_and_the_zero_shot_score_stays(standin, good, parts):
    images = sorted(parts.rglob("*.*"))
    compared = with_references(standin, good)
    (result,) = compared.score(images[:1])
    (zero_shot,) = with_references(standin, None).score(images[:1])
    assert result.zero_shot == pytest.approx(zero_shot.score, abs=1e-6)
    assert result.references == 4
    assert 0 < result.score < 1
    assert result.probability.shape == (SIDE, SIDE)
    assert 0 <= result.probability.min() <= result.probability.max() <= 1


def test_order_batches_and_company_change_no_score(standin, good, parts):
    images = sorted(parts.rglob("*.*"))
    expected = scores(with_references(standin, good), images, batch_size=1)
    found = scores(with_references(standin, good[::-1]), images[::-1], batch_size=3)
    assert found[::-1] == pytest.approx(expected, abs=1e-5)


def test_a_reference_is_compared_with_the_others_only(standin, good, tmp_path):
    inspector = with_references(standin, good)
    copy = tmp_path / "copy.png"
    shutil.copy(good[0], copy)
    (result,) = inspector.score(copy)
    assert result.references == 3
    assert result.score == pytest.approx(inspector.references.scores[0], abs=1e-5)
    assert "is a reference" in result.notes[-1]
    (others,) = with_references(standin, good[1:]).score(copy)
    assert others.score == pytest.approx(result.score, abs=1e-5)
    assert others.references == 3


def test_a_single_reference_works_but_gives_no_threshold(standin, good):
    inspector = with_references(standin, good[:1])
    assert "not calibrated: one reference" in inspector.threshold.source
    assert "no threshold" in inspector.references.remarks()[0]
    one, other = inspector.score(good[:2])
    assert "the only reference" in one.error
    assert other.score > 0


def test_the_threshold_is_conformal_over_the_references(standin, good):
    inspector = with_references(standin, good)
    highest = max(inspector.references.scores)
    assert inspector.threshold.value == pytest.approx(highest, abs=1e-4)
    assert inspector.threshold.value > highest
    assert inspector.threshold.source.startswith("20% false alarms on 4 references")
    assert with_references(standin, good, threshold=0.4).threshold.source == "given"


def test_copies_of_a_reference_count_once(standin, good, tmp_path):
    copy = tmp_path / "copy.png"
    shutil.copy(good[0], copy)
    inspector = with_references(standin, [*good, copy])
    assert len(inspector.references.names) == 4
    assert inspector.settings["references"] == with_references(standin, good[::-1]).settings[
        "references"
    ]  # fmt: skip


def test_rotated_references_find_rotated_parts(standin, good):
    pixels = np.array(Image.open(good[0]))
    upright = with_references(standin, good[:2])
    rotated = with_references(standin, good[:2], reference_rotations=4)
    part = np.ascontiguousarray(np.rot90(pixels))
    assert scores(rotated, part)[0] < 0.5 * scores(upright, part)[0]
    assert len(rotated.references.bank.owners) == 4 * len(upright.references.bank.owners)


def test_turning_by_quarters_keeps_the_pixels(good):
    pixels = np.array(Image.open(good[3]))
    assert np.array_equal(turned(pixels, 90), np.rot90(pixels))
    assert turned(pixels, 0) is pixels
    assert turned(pixels, 45).shape == pixels.shape


def test_an_unreadable_reference_is_refused_by_name(standin, good, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(good[0].read_bytes()[:60])
    with pytest.raises(UsageError, match=r"reference .*broken\.png cannot be read"):
        with_references(standin, [*good, broken])
    with pytest.raises(UsageError, match="no reference images"):
        with_references(standin, [])


def test_a_defective_reference_and_near_duplicates_are_named():
    bank = PatchBank((torch.zeros(1, 2),), torch.zeros(1, dtype=torch.long))
    names = tuple(f"{number}.png" for number in range(8))
    values = (0.21, 0.2, 0.22, 0.19, 0.2, 0.61, 0.2, 0.001)
    references = References(bank, names, names, values, 1)
    assert references.suspicious() == [5]
    remarks = references.remarks()
    assert remarks[0].startswith("5.png differs") and "is it a good part" in remarks[0]
    assert "1 references are nearly equal" in remarks[1] and "7.png" in remarks[1]


def test_the_built_in_tower_needs_references():
    with pytest.raises(UsageError, match="dinov2-vits14 has no adapters.*`reference`"):
        Inspector.load("dinov2-vits14", device="cpu")


def test_references_alone_choose_the_built_in_tower(good):
    inspector = Inspector.load(references=good, image_size=SIDE, device="cpu")
    assert inspector.model.name == "dinov2-vits14"
    (result,) = inspector.score(good[3])
    assert result.zero_shot is None
    assert result.references == 3
    with pytest.raises(UsageError, match="no experts"):
        inspector.score(good[0], experts_layer=6)


def test_thinned_patches_are_near_all_others():
    generator = torch.Generator().manual_seed(0)
    centres = torch.nn.functional.normalize(torch.randn(5, 16, generator=generator), dim=-1)
    patches = centres.repeat_interleave(20, 0) + 0.02 * torch.randn(100, 16, generator=generator)
    kept = thinned(patches, 5)
    units = torch.nn.functional.normalize(patches, dim=-1)
    cosine = units @ torch.nn.functional.normalize(kept, dim=-1).T
    assert cosine.amax(dim=1).min() > 0.9  # one of each kind
    assert torch.equal(thinned(patches, 9)[:5], kept)
    assert thinned(patches, 100) is patches
    assert torch.equal(thinned(patches.repeat(2, 1), 5), kept)
