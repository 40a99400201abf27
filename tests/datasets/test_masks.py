from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from moeclip_cli.datasets.masks import read_mask
from moeclip_cli.errors import DatasetError


def saved(path, values, mode="L"):
    Image.fromarray(np.asarray(values, np.uint8), mode).save(path)
    return path


def test_non_zero_pixels_are_anomalous(tmp_path):
    path = saved(tmp_path / "mask.png", [[0, 1], [128, 255]])
    mask = read_mask(path, 2)
    assert mask.dtype == np.uint8
    assert mask.tolist() == [[0, 1], [1, 1]]


def test_pixels_up_to_above_are_not_anomalous(tmp_path):
    path = saved(tmp_path / "mask.png", [[0, 1], [128, 255]])
    assert read_mask(path, 2, above=128).tolist() == [[0, 0], [0, 1]]


def test_the_wanted_size_may_depend_on_that_of_the_mask(tmp_path):
    path = saved(tmp_path / "mask.png", [[0, 0, 9, 0], [0, 0, 0, 0]])
    mask = read_mask(path, lambda height, width: (2 * height, width // 2))
    assert mask.shape == (4, 2)


def test_resizing_keeps_positions_and_adds_no_values(tmp_path):
    path = saved(tmp_path / "mask.png", np.kron([[0, 9], [0, 0]], np.ones((6, 9))))
    mask = read_mask(path, 4)
    assert mask.tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_a_near_black_background_is_normal(tmp_path):
    """As in the authors' code, which compares the luminance with 0."""
    colour = np.full((2, 2, 3), (0, 0, 4), np.uint8)
    colour[0, 0] = 255, 0, 0
    path = saved(tmp_path / "mask.png", colour, "RGB")
    assert read_mask(path, 2).tolist() == [[1, 0], [0, 0]]
    assert read_mask(path, 2, above=75).tolist() == [[1, 0], [0, 0]]
    assert not read_mask(path, 2, above=76).any()


def test_a_transparent_background_and_16_bits_of_zeros_are_normal(tmp_path):
    Image.new("RGBA", (2, 2)).save(tmp_path / "clear.png")
    Image.fromarray(np.zeros((2, 2), np.uint16)).save(tmp_path / "deep.png")
    assert not read_mask(tmp_path / "clear.png", 2).any()
    assert not read_mask(tmp_path / "deep.png", 2).any()


def test_masks_of_another_size_or_unreadable_masks_are_rejected(tmp_path):
    path = saved(tmp_path / "mask.png", np.zeros((4, 6)))
    assert read_mask(path, 2, expected=(4, 6)).sum() == 0
    with pytest.raises(DatasetError, match="6 x 4 pixels, but its image has 4 x 6"):
        read_mask(path, 2, expected=(6, 4))
    with pytest.raises(DatasetError, match=r"none\.png cannot be used"):
        read_mask(tmp_path / "none.png", 2)
