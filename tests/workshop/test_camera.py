import dataclasses

import numpy as np
import pytest
from mini.camera import Camera, any_camera, photograph, take

CAMERAS = {
    "blur": Camera(blur=2.0),
    "noise": Camera(noise=0.03),
    "grain": Camera(noise=0.03, grain=1.0),
    "jpeg": Camera(quality=40),
}

NOISY_CAMERA_SEED = 4


@pytest.fixture
def picture():
    """Red above blue, with a thin white line in between."""
    pixels = np.zeros((96, 96, 3), np.uint8)
    pixels[:48, :, 0] = 200
    pixels[48:, :, 2] = 100
    pixels[47:49] = 255
    return pixels


def rng(seed=0):
    return np.random.default_rng(seed)


def test_a_perfect_camera_does_not_change_the_image(picture):
    assert np.array_equal(take(Camera(), picture, rng()), picture)


@pytest.mark.parametrize("camera", CAMERAS.values(), ids=CAMERAS)
def test_every_setting_changes_the_image_but_not_its_content(camera, picture):
    before = picture.copy()

    taken = take(camera, picture, rng())

    assert np.array_equal(picture, before)
    assert taken.shape == picture.shape
    assert taken.dtype == np.uint8
    assert not np.array_equal(taken, picture)
    assert np.allclose(taken[5:40].mean((0, 1)), (200, 0, 0), atol=6)
    assert np.allclose(taken[56:90].mean((0, 1)), (0, 0, 100), atol=6)


@pytest.mark.parametrize("grain", [0.0, 1.2])
def test_noise_has_the_given_deviation_and_mean_zero(grain):
    grey = np.full((256, 256, 3), 128, np.uint8)

    taken = take(Camera(noise=0.02, grain=grain), grey, rng()).astype(float)

    assert taken.mean() == pytest.approx(128, abs=0.2)
    assert taken[..., 0].std() == pytest.approx(0.02 * 255, rel=0.03)
    neighbours = np.corrcoef(taken[:, :-1, 0].ravel(), taken[:, 1:, 0].ravel())[0, 1]
    assert neighbours > 0.5 if grain else abs(neighbours) < 0.02


def test_blur_is_relative_to_the_side(picture):
    """An image with twice the side loses the same relative details."""
    large = picture.repeat(2, 0).repeat(2, 1)
    camera = Camera(blur=10.0)

    halved = take(camera, large, rng()).reshape(96, 2, 96, 2, 3).mean((1, 3))

    assert np.allclose(halved, take(camera, picture, rng()), atol=4)


def test_a_pair_has_one_camera_but_different_noise(picture):
    assert any_camera(rng(NOISY_CAMERA_SEED)).noise > 0

    first, second = photograph([picture, picture], rng(NOISY_CAMERA_SEED))

    assert not np.array_equal(first, second)
    assert first.astype(float).std() == pytest.approx(second.astype(float).std(), rel=0.01)


def test_the_same_seed_gives_the_same_image(picture):
    first, second = (photograph([picture], rng(5))[0] for _ in range(2))

    assert np.array_equal(first, second)


def test_random_cameras_vary_in_every_setting():
    cameras = [any_camera(rng(seed)) for seed in range(600)]

    assert 0.6 < np.mean([camera == Camera() for camera in cameras]) < 0.8
    for field in dataclasses.fields(Camera):
        values = {getattr(camera, field.name) for camera in cameras}
        assert len(values) > 20
        assert getattr(Camera(), field.name) in values
