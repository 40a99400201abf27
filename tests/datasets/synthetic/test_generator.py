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
    # A defective solar cell can be dark everywhere.
    assert 0 < pair.mask.mean() < (1 if family in CELLS else 0.6)
    assert np.array_equal(pair.clean[~pair.mask], pair.defective[~pair.mask])


@pytest.mark.parametrize("defect", KINDS)
def test_every_defect_is_visible(defect):
    for index in range(3):
        pair = generate(6, index, SIZE, defects=[defect])

        change = np.abs(pair.defective.astype(int) - pair.clean).max(2)[pair.mask]
        assert pair.defect == defect
        assert change.mean() >= 10


def test_pairs_do_not_depend_on_the_order_of_generation():
    first = [generate(7, index, SIZE) for index in range(4)]
    again = [generate(7, index, SIZE) for index in reversed(range(4))][::-1]

    for one, other in zip(first, again, strict=True):
        assert np.array_equal(one.defective, other.defective)
        assert np.array_equal(one.mask, other.mask)


def test_indices_and_seeds_give_different_pairs():
    images = [generate(seed, index, SIZE).clean.tobytes() for seed in (1, 2) for index in (0, 1)]

    assert len(set(images)) == 4


def test_training_and_held_out_sets_are_disjoint_and_complete():
    assert set(TRAINING_FAMILIES) | set(HELD_OUT_FAMILIES) == set(FAMILIES)
    assert set(TRAINING_DEFECTS) | set(HELD_OUT_DEFECTS) == set(KINDS)
    assert not set(TRAINING_FAMILIES) & set(HELD_OUT_FAMILIES)
    assert not set(TRAINING_DEFECTS) & set(HELD_OUT_DEFECTS)


def test_only_the_given_families_and_defects_occur():
    pairs = [generate(8, index, SIZE, ["weave", "nut"], ["crack"]) for index in range(16)]

    assert {pair.family for pair in pairs} == {"weave", "nut"}
    assert {pair.defect for pair in pairs} == {"crack"}


def test_solar_cells_mostly_have_their_typical_defects():
    defects = [generate(8, index, 48, ["multicrystal"]).defect for index in range(60)]
    typical = ("crack", "dead", "breaks", *CELL_DEFECTS)
    assert 0.5 < sum(defect in typical for defect in defects) / 60 < 0.95
    assert set(CELL_DEFECTS) <= set(defects)

    held_out = {generate(8, index, 64, ["multicrystal"], ["hair"]).defect for index in range(5)}
    assert held_out == {"hair"}


def test_solar_cell_defects_occur_on_other_families_only_on_request():
    assert not {generate(8, index, 32, ["weave"]).defect for index in range(60)} & {*CELL_DEFECTS}

    requested = {generate(8, index, 64, ["weave"], ["severed"]).defect for index in range(3)}
    assert requested == {"severed"}


def test_an_inactive_cell_is_darker_everywhere():
    pair = generate(8, 3, 96, ["wafer"], ["inactive"])

    lit = pair.clean.mean(2) > 40
    assert pair.mask[lit].mean() > 0.9
    assert pair.defective[lit].mean() < 0.7 * pair.clean[lit].mean()


def test_a_severed_cell_is_darker_on_one_side():
    pair = generate(8, 4, 96, ["wafer"], ["severed"])

    assert 0.02 < pair.mask.mean() < 0.9
    assert pair.defective[pair.mask].mean() < 0.8 * pair.clean[pair.mask].mean()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"families": ["wool"]}, "Unknown image family 'wool'"),
        ({"defects": ["rust"]}, "Unknown defect type 'rust'"),
        ({"families": []}, "No image family is given"),
        ({"size": 16}, "at least 32 pixels"),
    ],
)
def test_invalid_arguments_are_rejected(arguments, message):
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
def test_defects_are_visible_on_a_uniform_image(value):
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
def test_images_of_other_shapes_or_types_are_rejected(pixels):
    with pytest.raises(DatasetError, match="A defect requires an"):
        plant_defect(pixels, np.random.default_rng(0))
