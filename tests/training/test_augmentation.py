from __future__ import annotations

import numpy as np
import pytest

from moeclip_cli.training.augmentation import augment
from moeclip_cli.training.configuration import Augmentation

NEVER = Augmentation(
    rotation_p=0, translation_p=0, horizontal_flip_p=0, vertical_flip_p=0
)  # fmt: skip


def square(size=40):
    """An image that is bright exactly where its mask is 1."""
    mask = np.zeros((size, size), np.uint8)
    mask[8:16, 20:30] = 1
    return np.repeat(mask[..., None], 3, axis=2).astype(np.float32), mask


def changed(seed=0, **changes):
    settings = {name: getattr(NEVER, name) for name in vars(NEVER)} | changes
    return augment(*square(), Augmentation(**settings), np.random.default_rng(seed))


def test_without_augmentation_the_image_is_unchanged():
    image, mask = changed()
    assert np.array_equal(image, square()[0])
    assert np.array_equal(mask, square()[1])


def test_flips_are_exact_mirror_images():
    image, mask = square()
    across = changed(horizontal_flip_p=1)
    assert np.array_equal(across[0], image[:, ::-1])
    assert np.array_equal(across[1], mask[:, ::-1])
    assert np.array_equal(changed(vertical_flip_p=1)[1], mask[::-1])


@pytest.mark.parametrize("seed", range(6))
def test_image_and_mask_move_together(seed):
    image, mask = changed(
        seed, rotation_p=1, translation_p=1, horizontal_flip_p=0.5, vertical_flip_p=0.5
    )
    assert set(np.unique(mask)) <= {0, 1}
    assert mask.sum() > 20
    # The interpolated image passes one half where the mask jumps.
    assert ((image[..., 0] > 0.5) != mask.astype(bool)).mean() < 0.02


def test_rotation_and_shift_are_within_their_limits():
    shifts, angles = [], []
    centre = np.array([11.5, 24.5])
    for seed in range(40):
        mask = changed(seed, translation_p=1, translation=0.15)[1]
        moved = np.array([axis.mean() for axis in np.nonzero(mask)]) - centre
        shifts.append(np.abs(moved).max() / 40)
        turned = changed(seed, rotation_p=1, rotation=30)[1]
        spot = np.array([axis.mean() for axis in np.nonzero(turned)]) - 19.5
        start = centre - 19.5
        cosine = spot @ start / np.linalg.norm(spot) / np.linalg.norm(start)
        angles.append(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
    assert 0.1 < max(shifts) < 0.17
    assert 20 < max(angles) < 33


def test_half_of_the_images_are_rotated_at_a_probability_of_one_half():
    unturned = sum(
        np.array_equal(changed(seed, rotation_p=0.5)[1], square()[1]) for seed in range(200)
    )
    assert 75 < unturned < 125
