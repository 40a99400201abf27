import numpy as np
import pytest

from moeclip_cli.datasets.synthetic.fields import (
    bend,
    fractal_noise,
    rotate,
    smoothstep,
    standardise,
    to_unit,
    voronoi,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("cells", [1, 7.5, 200])
def test_noise_is_standardised(rng, cells):
    noise = fractal_noise(rng, 64, cells)

    assert noise.shape == (64, 64) and noise.dtype == np.float32
    assert abs(noise.mean()) < 1e-3 and abs(noise.std() - 1) < 1e-3


def test_stretched_noise_is_longer_along_x(rng):
    noise = fractal_noise(rng, 128, 20, octaves=1, stretch=25)

    assert np.abs(np.diff(noise, axis=0)).mean() > 3 * np.abs(np.diff(noise, axis=1)).mean()


def test_a_constant_field_becomes_zero():
    flat = np.full((8, 8), 3, np.float32)

    assert not standardise(flat).any()
    assert not to_unit(flat).any()


def test_two_rotations_by_180_degrees_cancel(rng):
    field = fractal_noise(rng, 32, 4)

    there_and_back = rotate(rotate(field, 180), 180)

    assert np.allclose(there_and_back[2:-2, 2:-2], field[2:-2, 2:-2], atol=1e-2)


def test_voronoi_borders_are_between_cells(rng):
    distance, labels, border = voronoi(rng, 64, 6)

    assert len(np.unique(labels)) > 10
    assert (distance >= 0).all()
    changes = labels[:, 1:] != labels[:, :-1]
    assert (border[:, 1:][changes] == 0).all()


def test_voronoi_of_less_than_one_cell(rng):
    _, labels, _ = voronoi(rng, 32, 0.5)

    assert labels.shape == (32, 32)


def test_smoothstep_runs_from_0_to_1():
    values = smoothstep(np.linspace(-1, 2, 31, dtype=np.float32), 0, 1)

    assert values[0] == 0 and values[-1] == 1 and (np.diff(values) >= 0).all()


def test_a_constant_displacement_moves_the_image(rng):
    image = fractal_noise(rng, 32, 8)
    ones = np.ones((32, 32), np.float32)

    moved = bend(image, 2 * ones, 0 * ones)

    assert np.allclose(moved[:, :-2], image[:, 2:], atol=1e-5)
