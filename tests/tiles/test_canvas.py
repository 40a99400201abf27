import numpy as np
import pytest

from moeclip_cli.tiles.canvas import MapCanvas
from moeclip_cli.tiles.grid import Box, Tiling


def blend(width, height, side, overlap, values, resolution=1.0):
    """The blended map of tiles whose maps are `values(box)`."""
    area = Box(0, 0, width, height)
    canvas = MapCanvas((width, height), (resolution, resolution), area, overlap, layers=1)
    for box in Tiling(side, overlap).boxes(area):
        canvas.add(box, [values(box)])
    return canvas.blended()[0]


@pytest.mark.parametrize("overlap", [0, 0.1, 0.25, 0.6])
@pytest.mark.parametrize("resolution", [0.31, 1.0, 2.3])
def test_constant_maps_give_a_constant_map(overlap, resolution):
    found = blend(
        1013, 517, 128, overlap, lambda box: np.full((90, 90), 0.37, np.float32), resolution
    )
    np.testing.assert_allclose(found, 0.37, atol=1e-6)


def test_tiles_that_see_one_picture_give_that_picture():
    rng = np.random.default_rng(0)
    picture = rng.random((300, 470), dtype=np.float32)
    found = blend(470, 300, 100, 0.25, lambda b: picture[b.y0 : b.y1, b.x0 : b.x1])
    np.testing.assert_allclose(found, picture, atol=1e-6)


def test_tiles_that_disagree_leave_no_seam():
    levels = iter(np.tile([0.1, 0.9], 100))
    found = blend(1000, 100, 100, 0.25, lambda box: np.full((100, 100), next(levels), np.float32))
    steps = np.abs(np.diff(found, axis=1))
    assert np.ptp(found) > 0.7
    # 0.8 over the 25 pixels or more of an overlap; side by side, it would be 0.8 in one step.
    assert steps.max() < 0.05


def test_the_map_is_zero_where_no_tile_is():
    canvas = MapCanvas((200, 100), (1, 1), Box(0, 0, 200, 100), 0.25, layers=2)
    canvas.add(Box(0, 0, 100, 100), [np.ones((10, 10), np.float32)] * 2)
    found = canvas.blended()
    assert found.shape == (2, 100, 200)
    assert (found[:, :, :100] == 1).all()
    assert (found[:, :, 100:] == 0).all()


def test_a_large_image_has_a_map_of_four_megapixels():
    canvas = MapCanvas((20_000, 10_000), (1, 1), Box(0, 0, 20_000, 10_000), 0.25, layers=1)
    rows, columns = canvas.blended().shape[1:]
    assert columns == pytest.approx(2 * rows, abs=1)
    assert rows * columns == pytest.approx(2**22, rel=0.01)
