from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

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
    assert np.array_equal(image[..., 0], mask)


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


def noise(size, seed=0):
    """An image whose neighbouring pixels have nothing in common."""
    return np.random.default_rng(seed).standard_normal((size, size, 3)).astype(np.float32) + 9


def draws(seed, size, augmentation):
    """Angle in degrees and shift in pixels that `augment` draws."""
    rng = np.random.default_rng(seed)
    rng.random(4)
    return rng.uniform(-1, 1) * augmentation.rotation, (
        rng.uniform(-1, 1, 2) * augmentation.translation * size
    )


def rotated(image, angle):
    """What torchvision computes of a tensor: nearest pixels of a float32 grid, 0 outside."""
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    transform = torch.tensor([[[cosine, -sine, 0], [sine, cosine, 0]]])
    planes = torch.from_numpy(image).permute(2, 0, 1)[None]
    grid = F.affine_grid(transform, list(planes.shape), align_corners=False)
    taken = F.grid_sample(planes, grid, "nearest", "zeros", align_corners=False)
    return taken[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize("size", [70, 259])
@pytest.mark.parametrize("seed", range(4))
def test_a_rotation_takes_the_nearest_pixel(seed, size):
    image, mask = noise(size), np.zeros((size, size), np.uint8)
    augmentation = Augmentation(
        rotation_p=1, translation_p=0, horizontal_flip_p=0, vertical_flip_p=0
    )
    angle, _ = draws(seed, size, augmentation)
    turned = augment(image, mask, augmentation, np.random.default_rng(seed))[0]
    # Float32 and float64 may choose different pixels where two are equally near.
    assert (turned != rotated(image, angle)).any(axis=2).mean() < 2e-4
    assert set(turned.ravel().tolist()) <= {0.0, *image.ravel().tolist()}
    assert (turned == 0).all(axis=2)[0, 0]


@pytest.mark.parametrize("seed", range(4))
def test_a_shift_moves_by_whole_pixels_and_fills_with_0(seed):
    size = 70
    image, mask = noise(size), np.ones((size, size), np.uint8)
    augmentation = Augmentation(
        rotation_p=0, translation_p=1, horizontal_flip_p=0, vertical_flip_p=0
    )
    _, (right, down) = draws(seed, size, augmentation)
    expected = np.zeros_like(image)
    for y in range(size):
        for x in range(size):
            source = y - round(down), x - round(right)
            if min(source) >= 0 and max(source) < size:
                expected[y, x] = image[source]
    moved, moved_mask = augment(image, mask, augmentation, np.random.default_rng(seed))
    assert np.array_equal(moved, expected)
    assert np.array_equal(moved_mask, expected[..., 0] != 0)


def test_a_rotation_before_a_shift_loses_its_corners():
    """Two transformations after each other, as in the authors' code, not one of both."""
    size, seed = 70, 3
    both = Augmentation(rotation_p=1, translation_p=1, horizontal_flip_p=0, vertical_flip_p=0)
    angle, (right, down) = draws(seed, size, both)
    turned = rotated(noise(size), angle)
    expected = np.zeros_like(turned)
    rows, columns = np.mgrid[:size, :size]
    rows, columns = rows - round(down), columns - round(right)
    inside = (rows >= 0) & (rows < size) & (columns >= 0) & (columns < size)
    expected[inside] = turned[rows[inside], columns[inside]]
    moved = augment(noise(size), np.zeros((size, size)), both, np.random.default_rng(seed))[0]
    assert (moved != expected).any(axis=2).mean() < 2e-4


def test_half_of_the_images_are_rotated_at_a_probability_of_one_half():
    unturned = sum(
        np.array_equal(changed(seed, rotation_p=0.5)[1], square()[1]) for seed in range(200)
    )
    assert 75 < unturned < 125
