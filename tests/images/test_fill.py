import numpy as np
import pytest
from support.samples import colour_picture

from moeclip_cli.images.fill import fill_outside


@pytest.fixture
def inside():
    mask = np.zeros((300, 400), bool)
    mask[40:200, 100:350] = True
    mask[90:120, 150:220] = False
    return mask


def test_nothing_outside_has_an_influence_and_nothing_inside_changes(inside):
    pixels = colour_picture(300, 400)
    other = np.where(inside[..., None], pixels, np.uint8(7))
    found = fill_outside(pixels, inside)
    assert np.array_equal(found, fill_outside(other, inside))
    assert np.array_equal(found[inside], pixels[inside])


def test_the_border_makes_no_edge(inside):
    pixels = np.where(inside[..., None], colour_picture(300, 400), np.uint8(0))
    found = fill_outside(pixels, inside).astype(int)
    steps = [np.abs(np.diff(found, axis=axis)).max() for axis in (0, 1)]
    assert max(steps) < 20


@pytest.mark.parametrize("place", [(0, 0), (599, 899), (300, 450)])
def test_one_pixel_gives_the_colour_of_all(place):
    pixels = np.random.default_rng(0).integers(0, 255, (600, 900, 3), dtype=np.uint8)
    mask = np.zeros((600, 900), bool)
    mask[place] = True
    pixels[place] = (255, 100, 30)
    found = fill_outside(pixels, mask)
    # The mean over a coarse pixel is rounded before it is divided by its small weight.
    assert np.ptp(found[~mask], axis=0).max() <= 1
    assert np.abs(found[0, 1].astype(int) - (255, 100, 30)).max() <= 6
