"""Random scalar fields, the basis of all generated images.

A field is a float32 array (size, size). Lengths are fractions of the image's side.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Return a number between `low` and `high` with a uniformly distributed logarithm."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def standardise(field: FloatArray) -> FloatArray:
    """Scale a field to mean 0 and standard deviation 1; a constant field becomes zero."""
    mean, deviation = cv2.meanStdDev(field)
    return ((field - np.float32(mean[0, 0])) / np.float32(deviation[0, 0] + 1e-6)).astype(
        np.float32
    )


def to_unit(field: FloatArray) -> FloatArray:
    """Map a field linearly to [0, 1]."""
    low, high = float(field.min()), float(field.max())
    return ((field - low) / max(high - low, 1e-6)).astype(np.float32)


def rotate(field: FloatArray, degrees: float) -> FloatArray:
    """Rotate a field about its centre; areas from outside are mirrored."""
    size = field.shape[0]
    turn = cv2.getRotationMatrix2D((size / 2, size / 2), degrees, 1.0)
    return cv2.warpAffine(field, turn, (size, size), borderMode=cv2.BORDER_REFLECT)


def fractal_noise(
    rng: np.random.Generator,
    size: int,
    cells: float,
    octaves: int = 4,
    gain: float = 0.5,
    stretch: float = 1.0,
) -> FloatArray:
    """Return smooth noise summed over octaves, with mean 0 and standard deviation 1.

    Args:
        rng: source of randomness.
        size: side in pixels.
        cells: noise cells across the image in the first octave.
        octaves: maximum number of octaves; those finer than a pixel are skipped.
        gain: amplitude of an octave relative to the previous one.
        stretch: ratio of the length of structures along x to that along y.
    """
    field = np.zeros((size, size), np.float32)
    amplitude = 1.0
    for octave in range(octaves):
        rows = min(round(cells * 2**octave * stretch**0.5) + 1, size)
        columns = min(round(cells * 2**octave / stretch**0.5) + 1, size)
        lattice = rng.standard_normal((max(rows, 2), max(columns, 2)), dtype=np.float32)
        field += amplitude * cv2.resize(lattice, (size, size), interpolation=cv2.INTER_CUBIC)
        amplitude *= gain
        if rows >= size:
            break
    return standardise(field)


def pixel_axes(size: int) -> tuple[FloatArray, FloatArray]:
    """Return the x coordinates (1, size) and y coordinates (size, 1) of pixel centres in [0, 1]."""
    axis = ((np.arange(size) + 0.5) / size).astype(np.float32)
    return axis[None, :], axis[:, None]


def plane(
    rng: np.random.Generator, size: int, turn: str = "any", wobble: float = 0.01
) -> tuple[FloatArray, FloatArray]:
    """Return coordinates x, y of a plane seen by the camera, in fractions of the image's side.

    Args:
        rng: source of randomness.
        size: side in pixels.
        turn: "any" angle, or "near" a multiple of 90 degrees as on most inspection stations.
        wobble: maximum amplitude of the smooth distortion.
    """
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size - 0.5
    angle = rng.uniform(0, 2 * np.pi)
    if turn == "near":
        angle = rng.integers(4) * np.pi / 2 + rng.normal(0, 0.03)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    shift = rng.uniform(10, 11, 2).astype(np.float32)
    x = axis[None, :] * cos - axis[:, None] * sin + shift[0]
    y = axis[None, :] * sin + axis[:, None] * cos + shift[1]
    amount = rng.uniform(0, wobble) * (rng.random() < 0.6)
    if amount > 0:
        cells = rng.uniform(1, 3)
        x = x + np.float32(amount) * fractal_noise(rng, size, cells, 2)
        y = y + np.float32(amount) * fractal_noise(rng, size, cells, 2)
    return x, y


def voronoi(
    rng: np.random.Generator, size: int, cells: float
) -> tuple[FloatArray, NDArray[np.int32], FloatArray]:
    """Divide an image into cells around random points.

    Returns:
        Distance to the cell's point in pixels, number of the cell, and distance to the cell's
        border in pixels, each (size, size).
    """
    spacing = size / cells
    side = int(np.ceil(cells)) + 2
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1).reshape(-1, 2)
    points = (grid - 0.5 + rng.uniform(-0.45, 0.45, grid.shape)) * spacing
    inside = points[((points >= 0) & (points < size)).all(1)].astype(int)
    if len(inside) == 0:
        inside = np.array([[size // 2, size // 2]])
    canvas = np.full((size, size), 255, np.uint8)
    canvas[inside[:, 1], inside[:, 0]] = 0
    distance, labels = cv2.distanceTransformWithLabels(
        canvas, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_CCOMP
    )
    edge = np.zeros((size, size), np.uint8)
    edge[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    edge[1:, :] |= labels[1:, :] != labels[:-1, :]
    border = cv2.distanceTransform(1 - edge, cv2.DIST_L2, cv2.DIST_MASK_3)
    return distance, labels, border


def smoothstep(value: FloatArray, low: float, high: float) -> FloatArray:
    """Map values to 0 below `low`, 1 above `high` and a smooth ramp in between."""
    t = np.clip((value - low) / max(high - low, 1e-6), 0, 1).astype(np.float32)
    return t * t * (3 - 2 * t)


def bend(
    image: FloatArray, shift_x: FloatArray, shift_y: FloatArray, border: int = cv2.BORDER_REFLECT
) -> FloatArray:
    """Sample an image at positions displaced by shifts in pixels."""
    size_y, size_x = image.shape[:2]
    x = np.arange(size_x, dtype=np.float32)[None, :] + shift_x
    y = np.arange(size_y, dtype=np.float32)[:, None] + shift_y
    return cv2.remap(
        image, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR, borderMode=border
    )
