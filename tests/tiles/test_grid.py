import numpy as np
import pytest

from moeclip_cli.errors import UsageError
from moeclip_cli.tiles.grid import Box, Tiling, side_for


@pytest.mark.parametrize("overlap", [0, 0.25, 0.5, 0.75])
@pytest.mark.parametrize("area", [Box(0, 0, 8000, 2000), Box(13, 7, 913, 461), Box(5, 5, 106, 406)])
def test_tiles_cover_the_area_and_nothing_else_and_overlap_enough(area, overlap):
    side = 100
    boxes = Tiling(side, overlap).boxes(area)
    covered = np.zeros((area.y1, area.x1), bool)
    for box in boxes:
        assert (box.width, box.height) == (side, side)
        covered[box.y0 : box.y1, box.x0 : box.x1] = True
    assert covered[area.y0 :, area.x0 :].all()
    assert not covered[: area.y0].any()
    assert not covered[:, : area.x0].any()
    for starts in (sorted({box.x0 for box in boxes}), sorted({box.y0 for box in boxes})):
        steps = np.diff(starts)
        assert (steps <= side * (1 - overlap) + 1).all()
        assert np.ptp(steps) <= 1 if len(steps) else True


def test_no_more_tiles_than_the_overlap_takes():
    assert len(Tiling(100, 0).boxes(Box(0, 0, 300, 200))) == 6
    assert len(Tiling(100, 0.25).boxes(Box(0, 0, 175, 100))) == 2
    assert len(Tiling(100, 0.25).boxes(Box(0, 0, 176, 100))) == 3


def test_an_area_that_fits_is_one_tile_and_a_narrow_one_has_tiles_of_its_width():
    assert Tiling(448).boxes(Box(0, 0, 448, 300)) == [Box(0, 0, 448, 300)]
    assert {box.height for box in Tiling(448).boxes(Box(0, 0, 2000, 300))} == {300}


def test_the_smallest_defect_covers_two_patches_of_its_tile():
    assert side_for(12, patches=32) == 192
    assert 12 / 192 * 32 == 2


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Tiling(31), "`tile` must be at least 32 pixels, not 31"),
        (lambda: Tiling(100, 0.8), "`overlap` must be from 0 to 0.75, not 0.8"),
        (lambda: Tiling(100, -0.1), "`overlap` must be"),
        (lambda: side_for(1, 32), "`smallest` must be at least 2 pixels"),
    ],
)
def test_values_out_of_range_are_refused(make, sentence):
    with pytest.raises(UsageError, match=sentence):
        make()
