import numpy as np
import pytest

from moeclip_cli.pictures.colours import ColourScale

THRESHOLDS = [0.03, 0.31, 0.5, 0.97]


def luminance(rgb: np.ndarray) -> np.ndarray:
    return rgb @ np.array([0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_values_below_half_the_threshold_are_transparent(threshold: float) -> None:
    opacity = ColourScale(threshold).rgba(np.linspace(0, threshold / 2, 50))[:, 3]
    assert opacity.max() <= 0.01


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_higher_values_are_darker_and_more_opaque(threshold: float) -> None:
    values = np.linspace(0, 1, 500)
    colours = ColourScale(threshold).rgba(values)
    assert (np.diff(colours[:, 3]) >= 0).all()
    assert (np.diff(luminance(colours[:, :3])) <= 0).all()
    assert colours[-1, 3] > colours[np.searchsorted(values, threshold), 3] > 0.3


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_the_threshold_is_yellow_and_one_is_dark_red(threshold: float) -> None:
    red, green, blue, _ = ColourScale(threshold).rgba(np.array(threshold))
    assert min(red, green) > 200 > 100 > blue
    red, green, blue, _ = ColourScale(threshold).rgba(np.array(1.0))
    assert 200 > red > 100 > 60 > max(green, blue)


def test_a_value_has_the_same_colour_on_every_image() -> None:
    scale = ColourScale(0.5)
    pixels = np.full((4, 4, 3), 90, np.uint8)
    calm, wild = np.full((4, 4), 0.4), np.array([[0.0, 0.4, 0.9, 1.0]] * 4)
    assert (scale.paint(pixels, calm)[0, 0] == scale.paint(pixels, wild)[0, 1]).all()


def test_a_picture_without_anomalies_is_returned_unchanged_as_a_copy() -> None:
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    painted = ColourScale(0.5).paint(pixels, np.full((4, 4), 0.2))
    assert (painted == pixels).all()
    assert not np.shares_memory(painted, pixels)


def test_channels_are_in_rgb_order() -> None:
    painted = ColourScale(0.5).paint(np.zeros((1, 1, 3), np.uint8), np.ones((1, 1)))
    red, green, blue = painted[0, 0].tolist()
    assert red > 2 * max(green, blue)


@pytest.mark.parametrize("threshold", [-1.0, 0.0, 1.0, 7.0])
def test_a_threshold_is_clipped_to_the_unit_interval(threshold: float) -> None:
    opacity = ColourScale(threshold).rgba(np.array([-0.5, 0.0, 0.5, 1.0, 1.5]))[:, 3]
    assert (np.diff(opacity) >= 0).all()
    assert opacity[-1] > 0.3


def test_css_colours_equal_painted_ones() -> None:
    assert ColourScale(0.5).css(1.0) == "rgb(140 0 38 / 68%)"
    assert ColourScale(0.5).css(0.1).endswith("/ 0%)")
