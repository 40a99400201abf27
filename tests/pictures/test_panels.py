import numpy as np
import pytest

from moeclip_cli.pictures.panels import nearest, shrunk, text_size, viewing_size


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((4000, 2000), (1024, 512)),
        ((400, 600), (400, 600)),
        ((30, 40), (240, 320)),
        ((1, 3000), (1, 1024)),
        ((1, 1), (320, 320)),
    ],
)
def test_the_longer_side_is_at_least_320_and_at_most_1024_pixels(
    shape: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert viewing_size(np.zeros((*shape, 3), np.uint8)).shape == (*expected, 3)


def test_a_picture_that_fits_is_unchanged() -> None:
    pixels = np.arange(300, dtype=np.uint8).reshape(10, 10, 3)
    assert (shrunk(pixels, 10) == pixels).all()


def test_shrinking_averages() -> None:
    pixels = np.zeros((100, 100, 3), np.uint8)
    pixels[::2] = 200
    assert (shrunk(pixels, 50) == 100).all()


def test_nearest_samples_at_pixel_centres() -> None:
    values = np.array([[1, 2], [3, 4]])
    assert nearest(values, 3, 4).tolist() == [[1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]
    assert nearest(values, 1, 1).tolist() == [[4]]


def test_text_is_at_least_11_pixels_high() -> None:
    assert text_size(10, 10) == 11
    assert text_size(100, 1000) == 30
