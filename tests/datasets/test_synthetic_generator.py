import numpy as np
import pytest

from moeclip_cli.datasets.synthetic import (
    CELLS,
    FAMILIES,
    HELD_OUT_DEFECTS,
    HELD_OUT_FAMILIES,
    KINDS,
    TRAINING_DEFECTS,
    TRAINING_FAMILIES,
    generate,
    plant_defect,
)
from moeclip_cli.datasets.synthetic.wafers import CELL_DEFECTS
from moeclip_cli.errors import DatasetError

SIZE = 96


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_yields_a_valid_pair(family):
    pair = generate(5, 1, SIZE, [family])

    assert pair.family == family
    assert pair.clean.shape == pair.defective.shape == (SIZE, SIZE, 3)
    assert pair.clean.dtype == pair.defective.dtype == np.uint8
    assert pair.mask.shape == (SIZE, SIZE) and pair.mask.dtype == bool
    # A solar cell can be dark all over.
    assert 0 < pair.mask.mean() < (1 if family in CELLS else 0.6)
    assert np.array_equal(pair.clean[~pair.mask], pair.defective[~pair.mask])


@pytest.mark.parametrize("defect", KINDS)
def test_every_defect_is_visible_inside_its_mask(defect):
    for index in range(3):
        pair = generate(6, index, SIZE, defects=[defect])

        change = np.abs(pair.defective.astype(int) - pair.clean).max(2)[pair.mask]
        assert pair.defect == defect
        assert change.mean() >= 10


def test_a_pair_depends_on_its_number_alone():
    first = [generate(7, index, SIZE) for index in range(4)]
    again = [generate(7, index, SIZE) for index in reversed(range(4))][::-1]

    for one, other in zip(first, again, strict=True):
        assert np.array_equal(one.defective, other.defective)
        assert np.array_equal(one.mask, other.mask)


def test_other_indices_and_seeds_give_other_pairs():
    images = [generate(seed, index, SIZE).clean.tobytes() for seed in (1, 2) for index in (0, 1)]

    assert len(set(images)) == 4


def test_training_and_held_out_do_not_overlap():
    assert set(TRAINING_FAMILIES) | set(HELD_OUT_FAMILIES) == set(FAMILIES)
    assert set(TRAINING_DEFECTS) | set(HELD_OUT_DEFECTS) == set(KINDS)
    assert not set(TRAINING_FAMILIES) & set(HELD_OUT_FAMILIES)
    assert not set(TRAINING_DEFECTS) & set(HELD_OUT_DEFECTS)


def test_only_the_named_families_and_defects_occur():
    pairs = [generate(8, index, SIZE, ["weave", "nut"], ["crack"]) for index in range(30)]

    assert {pair.family for pair in pairs} == {"weave", "nut"}
    assert {pair.defect for pair in pairs} == {"crack"}


def test_solar_cells_have_their_typical_flaws_more_often_than_others():
    flaws = [generate(8, index, 64, ["multicrystal"]).defect for index in range(60)]
    typical = ("crack", "dead", "breaks", *CELL_DEFECTS)
    assert 0.5 < sum(flaw in typical for flaw in flaws) / 60 < 0.95
    assert set(CELL_DEFECTS) <= set(flaws)

    held_out = {generate(8, index, 64, ["multicrystal"], ["hair"]).defect for index in range(5)}
    assert held_out == {"hair"}


def test_what_only_solar_cells_have_is_seen_elsewhere_on_request_alone():
    assert not {generate(8, index, 64, ["weave"]).defect for index in range(60)} & {*CELL_DEFECTS}

    asked = {generate(8, index, 64, ["weave"], ["severed"]).defect for index in range(3)}
    assert asked == {"severed"}


def test_an_inactive_cell_is_dark_all_over():
    pair = generate(8, 3, 96, ["wafer"], ["inactive"])

    lit = pair.clean.mean(2) > 40
    assert pair.mask[lit].mean() > 0.9
    assert pair.defective[lit].mean() < 0.7 * pair.clean[lit].mean()


def test_a_severed_cell_glows_on_as_before_on_one_side():
    pair = generate(8, 4, 96, ["wafer"], ["severed"])

    assert 0.02 < pair.mask.mean() < 0.9
    assert pair.defective[pair.mask].mean() < 0.8 * pair.clean[pair.mask].mean()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"families": ["wool"]}, "no family of images 'wool'"),
        ({"defects": ["rust"]}, "no kind of defect 'rust'"),
        ({"families": []}, "No family of images was named"),
        ({"size": 16}, "at least 32 pixels"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(DatasetError, match=message):
        generate(1, 1, **arguments)


@pytest.mark.parametrize("shape", [(60, 200, 3), (200, 60, 3), (90, 90, 3)])
@pytest.mark.parametrize("defect", [None, "scratch"])
def test_planting_changes_only_the_mask(shape, defect):
    pixels = np.random.default_rng(0).integers(100, 120, shape, dtype=np.uint8)
    before = pixels.copy()

    planted, mask = plant_defect(pixels, np.random.default_rng(1), defect)

    assert np.array_equal(pixels, before)
    assert mask.shape == shape[:2] and mask.any()
    assert np.array_equal(planted[~mask], pixels[~mask])
    assert (planted[mask] != pixels[mask]).any()


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_defect_shows_even_on_a_uniform_picture(value):
    pixels = np.full((64, 64, 3), value, np.uint8)

    for kind in KINDS:
        planted, mask = plant_defect(pixels, np.random.default_rng(3), kind)
        assert (planted[mask] != pixels[mask]).any()


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((64, 64), np.uint8),
        np.zeros((64, 64, 4), np.uint8),
        np.zeros((64, 64, 3), np.float32),
        np.zeros((8, 64, 3), np.uint8),
    ],
)
def test_pictures_of_another_form_are_refused(pixels):
    with pytest.raises(DatasetError, match="Defects are planted into"):
        plant_defect(pixels, np.random.default_rng(0))
