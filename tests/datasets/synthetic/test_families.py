import cv2
import numpy as np
import pytest

from moeclip_cli.datasets.synthetic.nuisances import NUISANCES, disturb
from moeclip_cli.datasets.synthetic.panels import LAYOUTS, panel
from moeclip_cli.datasets.synthetic.parts import part
from moeclip_cli.datasets.synthetic.shapes import SHAPES
from moeclip_cli.datasets.synthetic.textures import PATTERNS, texture


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("name", PATTERNS)
@pytest.mark.parametrize("size", [32, 97])
def test_textures_fill_the_image(name, size):
    pixels = texture(rng(), size, name)

    assert pixels.shape == (size, size, 3)
    assert pixels.min() >= 0 and pixels.max() <= 1


@pytest.mark.parametrize("name", SHAPES)
def test_parts_have_an_object_and_a_background(name):
    for seed in range(3):
        scene = part(rng(seed), 96, name)

        assert scene.pixels.shape == (96, 96, 3)
        assert 0.02 < scene.foreground.mean() < 0.9


@pytest.mark.parametrize("name", LAYOUTS)
def test_panels_are_all_foreground(name):
    scene = panel(rng(1), 96, name)

    assert scene.pixels.dtype == np.float32
    assert scene.foreground.all()
    assert scene.pixels.std() > 0


@pytest.mark.parametrize("name", NUISANCES)
def test_nuisances_change_the_image(name):
    before = texture(rng(), 96, "weave")
    after = before.copy()

    NUISANCES[name](rng(2), after)

    assert np.abs(after - before).max() > 0.02
    assert np.isfinite(after).all()


def test_disturbed_images_stay_in_range():
    for seed in range(20):
        pixels = disturb(rng(seed), texture(rng(seed), 64, "plaster"))

        assert pixels.min() >= 0 and pixels.max() <= 1


def test_glowing_objects_get_no_labels_signs_or_shadows():
    """These would cause steep edges away from the border."""
    steepest = {
        glowing: max(_steepest_edge(disturb(rng(seed), _grey(), glowing)) for seed in range(25))
        for glowing in (True, False)
    }

    assert 2 * steepest[True] < steepest[False], steepest


def _grey():
    return np.full((128, 128, 3), 0.5, np.float32)


def _steepest_edge(pixels):
    """The largest difference of neighbouring pixels away from the borders, without sensor noise."""
    smooth = cv2.blur(pixels, (5, 5)).mean(2)[32:-32, 32:-32]
    return max(np.abs(np.diff(smooth, axis=axis)).max() for axis in (0, 1))
