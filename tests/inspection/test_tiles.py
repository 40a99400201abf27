"""Images that are scored in tiles: with and without references, in batches, from profiles."""

from __future__ import annotations

import numpy as np
import pytest
from support.samples import colour_picture, save_image

from moeclip_cli import Inspector, Profile
from moeclip_cli.errors import UsageError
from moeclip_cli.inspection import windows
from moeclip_cli.inspection.profile import calibrated
from moeclip_cli.tiles.grid import Box


@pytest.fixture(scope="module")
def tiled(load):
    return load(tile=64, overlap=0.25)


def numbers(result):
    return (result.score, result.map_max, result.image_score, result.image_part, result.zero_shot)


def boxes(width, height, side=64, step=48):
    return [
        (x, y) for y in range(0, height - side + 1, step) for x in range(0, width - side + 1, step)
    ]


def test_the_score_is_the_highest_of_the_tiles_scored_alone(load, tiled):
    pixels = colour_picture(160, 256)
    (result,) = tiled.score(pixels)
    places = boxes(256, 160)
    alone = list(load().score([pixels[y : y + 64, x : x + 64] for x, y in places]))
    best = max(range(len(alone)), key=lambda i: alone[i].score)

    assert result.tiles == len(places) == 15
    assert result.score == pytest.approx(alone[best].score, abs=1e-5)
    assert result.image_part == pytest.approx(alone[best].image_part, abs=1e-5)
    assert result.map_max == pytest.approx(max(each.map_max for each in alone), abs=1e-4)
    x, y = places[best]
    assert result.tile == Box(x, y, x + 64, y + 64)
    row = result.row()
    assert (row.tiles, row.tile_x0, row.tile_y0, row.tile_x1, row.tile_y1) == (15, *result.tile)


def test_the_map_is_that_of_the_tiles_at_their_places(load, tiled):
    pixels = colour_picture(160, 256)
    (result,) = tiled.score(pixels)
    assert result.probability.shape == (160, 256)
    places = boxes(256, 160)
    for (x, y), alone in zip(
        places,
        load().score([pixels[y : y + 64, x : x + 64] for x, y in places]),
        strict=True,
    ):
        middle = np.s_[y + 20 : y + 44, x + 20 : x + 44]  # no other tile covers it
        own = alone.anomaly_map[20:44, 20:44]
        assert np.abs(result.probability[middle] - own).max() < 0.02


def test_an_image_that_fits_into_a_tile_scores_as_untiled_to_the_last_bit(load, tiled, tmp_path):
    paths = [tmp_path / f"{number}.png" for number in range(5)]
    for number, path in enumerate(paths):
        save_image(path, seed=number, width=40 + 6 * number, height=64)
    whole = list(load().score(paths, batch_size=2))
    for result, expected in zip(tiled.score(paths, batch_size=2), whole, strict=True):
        assert numbers(result) == numbers(expected)
        assert np.array_equal(result.probability, expected.probability)
        assert np.array_equal(result.raw_map, expected.raw_map)
        assert result.regions == expected.regions
        assert (result.tiles, result.tile) == (1, Box(0, 0, result.width, 64))


def test_batches_across_tiles_and_images_and_threads_change_no_score(tiled, tmp_path):
    images = [colour_picture(64 + 40 * n, 200 - 30 * n, seed=n) for n in range(4)]
    images.insert(2, tmp_path / "missing.png")
    expected = list(tiled.score(images, batch_size=1, workers=0))
    for batch_size, workers in ((3, 0), (7, 2), (64, 4)):
        found = list(tiled.score(images, batch_size=batch_size, workers=workers))
        assert [result.error is None for result in found] == [True, True, False, True, True]
        for one, other in zip(found, expected, strict=True):
            if one.error is None:
                assert numbers(one)[:3] == pytest.approx(numbers(other)[:3], abs=1e-5)
                assert one.tile == other.tile
                assert np.abs(one.probability - other.probability).max() < 1e-5


def test_tiles_are_cut_lazily(load):
    taken = []

    def endless():
        while True:
            taken.append(1)
            yield colour_picture(100, 100)

    results = load(tile=64).score(endless(), batch_size=2, workers=2)
    for _ in range(3):
        next(results)
    results.close()
    assert len(taken) < 8


def test_batches_end_where_those_of_whole_images_do(tiled):
    images = [colour_picture(64, 160 - 40 * (n % 3), seed=n) for n in range(6)]
    sizes = []
    hook = tiled.model.network.register_forward_pre_hook(
        lambda network, args: sizes.append(len(args[0]))
    )
    ends = iter([False, True, False, False, False, False])
    list(tiled.score(images, batch_size=4, workers=0, ends_batch=lambda: next(ends)))
    hook.remove()
    # 3 + 3 tiles of the images before the end, then 2 + 3 + 3 + 2.
    assert sizes == [4, 2, 4, 4, 2]


def test_references_in_tiles_are_scored_each_against_the_others(load):
    good = [colour_picture(100, 160, seed=n) for n in range(3)]
    inspector = load(tile=64, references=good)
    for number in range(3):
        others = load(tile=64, references=[*good[:number], *good[number + 1 :]])
        (alone,) = others.score(good[number])
        assert inspector.references.scores[number] == pytest.approx(alone.score, abs=1e-4)
        (again,) = inspector.score(good[number])
        assert again.references == 2
        assert again.score == pytest.approx(alone.score, abs=1e-4)
    (new,) = inspector.score(colour_picture(100, 160, seed=9))
    assert new.references == 3
    assert new.zero_shot is not None


def test_one_pixel_makes_another_image(load):
    good = colour_picture(500, 500)
    other = good.copy()
    other[250, 250] ^= 1
    inspector = load(tile=256, references=[good, other])
    assert len(inspector.references.names) == 2


def test_copies_of_a_reference_count_once(load, tmp_path):
    save_image(tmp_path / "a.png", width=120, height=100)
    path = tmp_path / "a.png"
    inspector = load(
        tile=64, references=[path, path, path.read_bytes(), colour_picture(100, 120)],
        reference_rotations=2,
    )  # fmt: skip
    assert inspector.references.names == (str(path), "image 4")
    assert len(inspector.references.scores) == 2
    with pytest.raises(UsageError, match="references already"):
        inspector.more_references([path])
    more = inspector.more_references([colour_picture(90, 90, seed=4)])
    assert len(more.scores) == len(more.names) == 3
    assert more.scores[:2] == inspector.references.scores


def test_a_profile_brings_its_tiles_and_refuses_others(load, tmp_path):
    good = [colour_picture(100, 160, seed=n) for n in range(3)]
    made = load(tile=64, overlap=0.5, references=good, reference_patches=16)
    profile = calibrated(
        made.references, made.references.scores, "object", made.settings, "jackknife+", 0.3
    )
    profile.write(tmp_path / "p.moeclip")
    loaded = load(profile=tmp_path / "p.moeclip")
    assert loaded.settings["tile"] == 64
    assert loaded.settings["overlap"] == 0.5
    expected, found = (next(one.score(good[0])) for one in (made, loaded))
    assert found.score == pytest.approx(expected.score, abs=1e-6)
    with pytest.raises(UsageError, match="its tile is 64, but here it is 100"):
        load(profile=tmp_path / "p.moeclip", tile=100)
    whole = Profile(0.5, 0.05, 20, "object", load().settings)
    with pytest.raises(UsageError, match="its tile is none, but here it is 64"):
        load(profile=whole, tile=64)


def test_damaged_tiles_of_a_profile_are_refused(load, tiled):
    broken = Profile(0.5, 0.05, 20, "object", tiled.settings | {"tile": "64"})
    with pytest.raises(UsageError, match="its tiles have no size"):
        load(profile=broken)


def test_the_smallest_defect_chooses_the_tile(load):
    assert load(tile="auto", smallest=30).settings["tile"] == 75  # 5 patches of 14 pixels
    for options, sentence in (
        ({"tile": "auto"}, "needs the size of the smallest defect"),
        ({"tile": 64, "smallest": 12}, "`smallest` chooses the tiles"),
        ({"smallest": 12}, "`smallest` chooses the tiles"),
    ):
        with pytest.raises(UsageError, match=sentence):
            load(**options)


def test_a_threshold_of_whole_images_says_so(tmp_path):
    whole = Inspector.load(device="cpu")
    tiles = Inspector.load(device="cpu", tile=256)
    assert not whole.threshold.of_whole_images
    assert tiles.threshold.of_whole_images
    assert tiles.threshold.value == whole.threshold.value
    assert tiles.threshold.source == (
        f"{whole.threshold.source}; found on whole images, not calibrated for tiles"
    )


def test_experts_are_those_of_whole_images(tiled):
    with pytest.raises(UsageError, match="Experts are shown of whole images"):
        tiled.score([], experts_layer=4)


def test_after_a_large_image_the_next_is_read_when_its_tiles_are_cut(tiled, monkeypatch):
    monkeypatch.setattr(windows, "_LARGE", 30_000)
    read = []

    def images():
        for number in range(6):
            read.append(number)
            # Images 1, 3 and 4 are large.
            side = 120 if number in (1, 3, 4) else 70
            yield colour_picture(side, side, seed=number)

    alive = []
    reader = tiled._builder.windows.reader
    original = windows.WindowReader._read

    def counted(self, *args):
        found = original(self, *args)
        alive.append(found)
        large = [image for image in alive if image.large]
        assert len(large) <= 1
        assert not large or large[0] is found, "read beside a large image"
        return found

    monkeypatch.setattr(windows.WindowReader, "_read", counted)
    cut = reader.windows(images(), lambda image: "part", workers=2, ahead=2)
    boxes = [window.box for window in cut]
    assert len(alive) == 6
    assert all(image.pixels is None for image in alive)
    assert len(boxes) == sum(len(image.boxes) for image in alive)
    early = reader.windows(images(), lambda image: "part", workers=2, ahead=2)
    for _ in range(6):
        next(early)
    early.close()  # returns although the reading thread waits
