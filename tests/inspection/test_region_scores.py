"""Regions of interest decide what is scored: exactly what is inside."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from support.samples import colour_picture

from moeclip_cli import Profile
from moeclip_cli.errors import UsageError

BOX = (30, 20, 130, 90)


@pytest.fixture
def mask(tmp_path):
    """A triangle with a hole on images of 160 x 120 pixels."""
    rows, columns = np.mgrid[0:120, 0:160]
    inside = (rows + columns < 150) & ~((rows > 20) & (rows < 40) & (columns > 30) & (columns < 60))
    Image.fromarray((255 * inside).astype(np.uint8)).save(tmp_path / "mask.png")
    return tmp_path / "mask.png", inside


def numbers(result):
    scores = (result.score, result.map_max, result.image_score, result.image_part, result.peak)
    return (*scores, result.area_fraction, result.regions, result.zero_shot)


@pytest.mark.parametrize("options", [{}, {"tile": 48}], ids=["whole", "tiles"])
@pytest.mark.parametrize("compared", [False, True], ids=["zero-shot", "references"])
def test_nothing_outside_changes_a_bit(load, mask, options, compared):
    path, inside = mask
    good = [colour_picture(120, 160, seed=n) for n in (1, 2)] if compared else None
    inspector = load(region=path, references=good, **options)
    pixels = colour_picture(120, 160)
    noise = np.random.default_rng(0).integers(0, 255, pixels.shape, dtype=np.uint8)
    other = np.where(inside[..., None], pixels, noise)
    (expected,), (found,) = inspector.score(pixels), inspector.score(other)
    assert numbers(found) == numbers(expected)
    assert np.array_equal(found.probability, expected.probability)
    assert np.array_equal(found.raw_map, expected.raw_map)
    changed = pixels.copy()
    changed[60:75, 40:60] = (255, 0, 0)  # inside
    (differs,) = inspector.score(changed)
    assert not np.array_equal(differs.probability, expected.probability)


def test_a_box_scores_like_the_image_cut_out_of_it(load):
    pixels = colour_picture(120, 160)
    x0, y0, x1, y1 = BOX
    (alone,) = load().score(pixels[y0:y1, x0:x1])
    (result,) = load(region=",".join(map(str, BOX))).score(pixels)
    assert numbers(result)[:4] == numbers(alone)[:4]
    assert (result.width, result.height, result.tiles) == (160, 120, None)
    assert x0 <= result.peak_x < x1
    assert y0 <= result.peak_y < y1
    outside = np.ones((120, 160), bool)
    outside[y0 - 2 : y1 + 2, x0 - 2 : x1 + 2] = False
    assert (result.anomaly_map[outside] == 0).all()
    assert result.anomaly_map.max() > 0


def test_a_region_that_covers_everything_changes_nothing(load):
    pixels = colour_picture(120, 160)
    (whole,), (found,) = load().score(pixels), load(region="0,0,100%,100%").score(pixels)
    assert numbers(found)[:4] == numbers(whole)[:4]


def test_tiles_wholly_outside_are_skipped(load):
    pixels = colour_picture(160, 640)
    passes = []
    inspector = load(tile=64, region=["0,0,64,64", "560,0,640,160"], ignore="560,64,640,160")
    hook = inspector.model.network.register_forward_pre_hook(
        lambda network, args: passes.append(len(args[0]))
    )
    (result,) = inspector.score(pixels)
    hook.remove()
    assert sum(passes) == result.tiles
    assert result.tiles < len(inspector.layout.tiling.boxes(inspector.layout.area(640, 160))) / 2


def test_an_ignored_defect_is_not_found(load):
    good = [colour_picture(120, 160, seed=n) for n in range(2)]
    bad = good[0].copy()
    bad[40:70, 50:90] = (255, 0, 255)
    reference = {"references": good, "reference_patches": None}
    (found,) = load(**reference).score(bad)
    hidden = load(ignore="45,35,95,75", **reference)
    (ignored,) = hidden.score(bad)
    (clean,) = hidden.score(np.where(np.arange(160)[:, None] == 0, good[0] ^ 1, good[0]))
    assert found.score > ignored.score + 0.05
    assert ignored.score == pytest.approx(clean.score, abs=0.05)


def test_references_contain_only_patches_of_the_region(load):
    good = [colour_picture(140, 140, seed=n) for n in range(2)]
    options = {"references": good, "reference_patches": None}
    whole, half = load(**options), load(region="0,0,50%,100%", ignore="0,0,50%,50%", **options)
    counts = [one.references.bank.counts() for one in (whole, half)]
    # The box around the region is one window of 5 x 5 patches, of which ignored ones are left out.
    assert counts[0] == [25, 25]
    assert all(10 <= count <= 15 for count in counts[1])
    assert len(half.references.scores) == 2


def test_a_mask_of_another_size_is_an_error_of_the_image_unless_its_aspect_ratio_is_equal(
    load, mask
):
    inspector = load(region=mask[0])
    sizes = [(120, 160), (240, 320), (160, 160)]
    good, large, square = inspector.score([colour_picture(*size) for size in sizes])
    assert good.error is large.error is None
    assert (
        "for 160 x 120 pixels, the image has 160 x 160; give one of the same size" in square.error
    )


def test_a_region_without_a_pixel_is_an_error_of_the_image(load):
    inspector = load(region="0,0,50%,50%", ignore="0,0,50%,50%", tile=64)
    (result,) = inspector.score(colour_picture(120, 160))
    assert "No pixel of the image is inspected; check `region` and `ignore`" in result.error


def test_a_profile_keeps_its_region(load, mask, tmp_path):
    path, _ = mask
    made = load(region=path, ignore="0,0,10%,10%", tile=48)
    profile = Profile(0.5, 0.05, 20, "object", made.settings)
    profile.write(tmp_path / "profile.json")
    path.unlink()
    loaded = load(profile=tmp_path / "profile.json")
    pixels = colour_picture(120, 160)
    (expected,), (found,) = made.score(pixels), loaded.score(pixels)
    assert numbers(found)[:5] == numbers(expected)[:5]
    with pytest.raises(UsageError, match="its region is"):
        load(profile=tmp_path / "profile.json", region="0,0,50%,50%", tile=48)
    broken = Profile(0.5, 0.05, 20, "object", made.settings | {"region": {"region": [7]}})
    with pytest.raises(UsageError, match="its region or reference view cannot be read"):
        load(profile=broken)


def test_overlays_show_the_border_and_colour_nothing_outside(load, mask):
    path, inside = mask
    pixels = colour_picture(120, 160)
    (result,) = load(region=path, threshold=0.0).score(pixels)
    drawn = result.overlay(pixels, legend=False)
    near = torch.nn.functional.max_pool2d(torch.from_numpy(inside)[None].float(), 7, 1, 3)[0] > 0
    assert np.array_equal(drawn[~near.numpy()], pixels[~near.numpy()])
    assert (drawn == (0, 114, 178)).all(axis=-1).any()
    assert result.overlay(np.repeat(pixels, 2, axis=0).repeat(2, axis=1)).shape == (240, 320, 3)


def test_parts_are_not_turned_out_of_their_region(load):
    good = [colour_picture(120, 160, seed=n) for n in range(2)]
    with pytest.raises(UsageError, match="A region or reference view has its place"):
        load(references=good, reference_rotations=2, region="0,0,50%,50%")
