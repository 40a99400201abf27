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


def test_a_single_non_zero_channel_is_sufficient(tmp_path):
    colour = np.zeros((2, 2, 3), np.uint8)
    colour[0, 0, 2] = 1
    assert read_mask(saved(tmp_path / "mask.png", colour, "RGB"), 2).sum() == 1


def test_masks_of_another_size_or_unreadable_masks_are_rejected(tmp_path):
    path = saved(tmp_path / "mask.png", np.zeros((4, 6)))
    assert read_mask(path, 2, expected=(4, 6)).sum() == 0
    with pytest.raises(DatasetError, match="6 x 4 pixels, but its image has 4 x 6"):
        read_mask(path, 2, expected=(6, 4))
    with pytest.raises(DatasetError, match=r"none\.png cannot be used"):
        read_mask(tmp_path / "none.png", 2)
