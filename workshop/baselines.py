"""Baselines for the evaluation of the built-in model, which need no training.

Each takes an image (H, W, 3) uint8 RGB and returns its score and an anomaly map (H, W).
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from mini_scores import Pixels
from numpy.typing import NDArray

SIDE = 224
PATCH = 16

Map = NDArray[np.float32]
Scorer = Callable[[Pixels], tuple[float, Map]]


def high_pass(pixels: Pixels) -> tuple[float, Map]:
    """Score by the maximum of the smoothed energy of high spatial frequencies."""
    grey = baseline_input(pixels)
    energy = (grey - cv2.GaussianBlur(grey, (0, 0), 2)) ** 2
    energy = cv2.GaussianBlur(energy, (0, 0), 4)
    return float(energy.max()), to_size(energy, pixels)


def patch_neighbours(pixels: Pixels) -> tuple[float, Map]:
    """Score by the maximum distance of a patch to its third nearest neighbour in the same image."""
    windows = patch_windows(baseline_input(pixels))
    return neighbour_distance(windows.reshape(*windows.shape[:2], -1), pixels)


def gradient_neighbours(pixels: Pixels) -> tuple[float, Map]:
    """Score like `patch_neighbours`, on gradient histograms of 8 directions per patch quarter."""
    grey = cv2.GaussianBlur(baseline_input(pixels), (0, 0), 1)
    dx, dy = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    length, angle = cv2.cartToPolar(dx, dy)
    direction = (angle * (8 / (2 * np.pi))).astype(int) % 8
    half = PATCH // 2
    quarters = []
    for index in range(8):
        windows = patch_windows(np.where(direction == index, length, 0).astype(np.float32))
        shape = (*windows.shape[:2], 2, half, 2, half)
        quarters.append(windows.reshape(shape).sum((3, 5)).reshape(*windows.shape[:2], 4))
    return neighbour_distance(np.sqrt(np.concatenate(quarters, 2)), pixels)


def patch_windows(field: Map) -> Map:
    """Return overlapping patches (g, g, PATCH, PATCH) of a field (S, S)."""
    step = PATCH // 2
    return np.lib.stride_tricks.sliding_window_view(field, (PATCH, PATCH))[::step, ::step]


def neighbour_distance(descriptors: Map, pixels: Pixels) -> tuple[float, Map]:
    """Score by the distance of each descriptor (g, g, d) to its third nearest without overlap."""
    grid = descriptors.shape[0]
    flat = descriptors.reshape(grid * grid, -1)
    squared = (flat**2).sum(1)
    distance = squared[:, None] + squared[None] - 2 * flat @ flat.T
    rows, columns = np.divmod(np.arange(grid * grid), grid)
    overlapping = (np.abs(rows[:, None] - rows) < 2) & (np.abs(columns[:, None] - columns) < 2)
    distance[overlapping] = np.inf
    third = np.sqrt(np.maximum(np.partition(distance, 2, axis=1)[:, 2], 0))
    grid_map = third.reshape(grid, grid).astype(np.float32)
    return float(grid_map.max()), to_size(grid_map, pixels)


def baseline_input(pixels: Pixels) -> Map:
    """Return the image as a standardised grey field (SIDE, SIDE)."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    return (small - small.mean()) / (small.std() + 1e-3)


def to_size(grid_map: Map, pixels: Pixels) -> Map:
    return cv2.resize(grid_map, pixels.shape[1::-1], interpolation=cv2.INTER_LINEAR)


BASELINES: dict[str, Scorer] = {
    "patch neighbours": patch_neighbours,
    "gradient neighbours": gradient_neighbours,
    "high-pass energy": high_pass,
}
