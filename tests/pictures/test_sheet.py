import numpy as np
import pytest
from numpy.typing import NDArray

from moeclip_cli.pictures.sheet import render_sheet


def test_panels_are_in_a_row(picture: NDArray[np.uint8], defect: NDArray[np.float32]) -> None:
    height, width = render_sheet(picture, defect, 0.5).shape[:2]
    assert 3 * 400 < width < 3 * 450
    assert 300 < height < 450
    mask = np.ones((10, 10), np.uint8)
    assert 4 * 400 < render_sheet(picture, defect, 0.5, mask=mask).shape[1] < 4 * 450


def test_panels_of_a_wide_picture_are_in_a_column(defect: NDArray[np.float32]) -> None:
    height, width = render_sheet(np.zeros((100, 400, 3), np.uint8), defect, 0.5).shape[:2]
    assert width < 500
    assert 300 < height < 600


def test_the_sheet_contains_the_picture_and_its_overlay(
    picture: NDArray[np.uint8], defect: NDArray[np.float32]
) -> None:
    sheet = render_sheet(picture, defect, 0.5)
    top, left = np.argwhere((sheet == picture[0, 0]).all(axis=-1))[0]
    assert (sheet[top : top + 300, left : left + 400] == picture).all()
    beside = sheet[top + 150, left + 400 :].astype(int)
    assert (beside[:, 0] > 1.5 * beside[:, 1:].max(axis=-1)).sum() > 10


def test_the_map_of_a_picture_without_anomalies_is_grey(picture: NDArray[np.uint8]) -> None:
    sheet = render_sheet(picture, np.full((74, 74), 0.1, np.float32), 0.5)
    assert (sheet == 150).all(axis=-1).sum() >= 300 * 400


def test_the_mask_is_resized_to_the_picture_and_outlined(
    picture: NDArray[np.uint8], defect: NDArray[np.float32]
) -> None:
    mask = np.zeros((6, 8), np.uint8)
    mask[2, 3] = 255
    panel = render_sheet(picture, defect, 0.5, mask=mask)[:, -420:]
    inside = np.argwhere((panel == picture[125, 175]).all(axis=-1))
    assert len(inside) > 0
    white = np.argwhere((panel[30:320] > 200).all(axis=-1))
    assert np.ptp(white, axis=0) == pytest.approx([50, 50], abs=5)


def test_a_scratch_thinner_than_a_pixel_of_the_panel_is_outlined(
    defect: NDArray[np.float32],
) -> None:
    pixels = np.zeros((4000, 4000, 3), np.uint8)
    mask = np.zeros((4000, 4000), np.uint8)
    mask[2001, 500:3500] = 1
    panel = render_sheet(pixels, defect * 0, 0.5, mask=mask)[:1000, -1050:]
    white = (panel[100:] > 200).all(axis=-1)
    assert white.sum() > 700


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1), (8, 8)])
def test_pictures_of_any_shape_have_a_sheet(
    shape: tuple[int, int], defect: NDArray[np.float32]
) -> None:
    pixels = np.full((*shape, 3), 90, np.uint8)
    mask = np.ones(shape, bool)
    sheet = render_sheet(pixels, defect, 0.5, mask=mask, caption="anomalous: 0.9")
    assert max(sheet.shape[:2]) < 4600
    assert (sheet == 90).all(axis=-1).any()
