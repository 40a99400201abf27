"""Registration: how an image moved from the reference view, found in grey pictures of both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from moeclip_cli.inspection.similarity import Similarity, of_pixels, of_points

# Candidates are compared in small pictures, where the refinement reaches farther.
_COARSE = 192
# The picture is too small, or too little of it is left, below this number of pixels.
_FEWEST_PIXELS = 256
_FEATURES = 1000
# Of two neighbours in descriptor space, the nearer one counts only if it is nearer by this.
_RATIO = 0.8
_FEWEST_MATCHES = 8
# Steps of ECC, and the gain in correlation below which it stops.
_ROUGH, _FINE, _FINEST = (40, 1e-4), (20, 1e-4), (40, 1e-6)
_BLUR = 5
# Pixels of the picture; edges of larger things are not details.
_SMOOTH = 6.0
# In medians of the differences, and the least of these in standard deviations.
_OUTLIER, _LEAST_NOISE = 4.0, 0.02
_ANGLES = 360


@dataclass(frozen=True)
class Registration:
    """How well an image fits the reference view, and where.

    Attributes:
        similarity: where the view lies in the image.
        correlation: of the grey values of both where they overlap, in [-1, 1].
    """

    similarity: Similarity
    correlation: float


def register(view: NDArray[np.uint8], image: NDArray[np.uint8]) -> Registration:
    """Find the reference view in an image.

    Phase correlation, of the spectra in polar coordinates for the rotation, and features (SIFT)
    with RANSAC propose; the enhanced correlation coefficient (ECC) chooses and refines, at last
    without the pixels that differ, such as a defect. Brightness and contrast do not matter.

    Args:
        view: (h, w) grey, the reference view.
        image: (h, w) grey, the image at the size of the view.
    """
    height, width = view.shape
    factor = min(1.0, _COARSE / max(view.shape))
    size = max(8, round(width * factor)), max(8, round(height * factor))
    small = [cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in (view, image)]
    factor = size[0] / width
    refined = [
        _refined(small[0], small[1], proposed.resized(factor), _ROUGH).similarity
        for proposed in _proposals(view, image)
    ]
    # A round part fits at any angle, but its details at one only.
    details = [_details(one) for one in (view, image)]
    found = max(
        (similarity.resized(1 / factor) for similarity in refined),
        key=lambda similarity: _Overlap.of(details[0], details[1], similarity).correlation,
    )
    fine = _refined(view, image, found, _FINE)
    alike = _alike(view, image, fine.similarity)
    return _refined(view, image, fine.similarity, _FINEST, alike)


def _details(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What differs from the surroundings, around 128."""
    smooth = cv2.GaussianBlur(grey, (0, 0), _SMOOTH)
    found: NDArray[np.uint8] = cv2.addWeighted(grey, 2.0, smooth, -2.0, 128.0)
    return cv2.GaussianBlur(found, (0, 0), _SMOOTH / 3)


def _proposals(view: NDArray[np.uint8], image: NDArray[np.uint8]) -> Iterator[Similarity]:
    yield Similarity()
    yield from _by_spectra(view, image)
    yield from _by_features(view, image)


def _by_features(view: NDArray[np.uint8], image: NDArray[np.uint8]) -> Iterator[Similarity]:
    """The similarity of most features that look alike, if there are enough of them."""
    sift = cv2.SIFT.create(_FEATURES)
    found = [sift.detectAndCompute(one, None) for one in (view, image)]
    if any(len(points) < _FEWEST_MATCHES for points, _ in found):
        return
    (view_points, view_looks), (image_points, image_looks) = found
    pairs = cv2.BFMatcher().knnMatch(view_looks, image_looks, k=2)
    near = [first for first, second in pairs if first.distance < _RATIO * second.distance]
    if len(near) < _FEWEST_MATCHES:
        return
    start = np.array([view_points[match.queryIdx].pt for match in near])
    end = np.array([image_points[match.trainIdx].pt for match in near])
    matrix, _ = cv2.estimateAffinePartial2D(start, end, ransacReprojThreshold=2.0)
    if matrix is not None:
        height, width = view.shape
        yield Similarity.of_matrix(of_points(matrix), width, height)


def _by_spectra(view: NDArray[np.uint8], image: NDArray[np.uint8]) -> Iterator[Similarity]:
    """Rotations from the spectra, each with the shift that then fits best."""
    height, width = view.shape
    side = max(height, width)
    window = cv2.createHanningWindow((width, height), cv2.CV_32F)
    greys = [one.astype(np.float32) - float(one.mean()) for one in (view, image)]
    polar = [_polar_spectrum(grey * window, side) for grey in greys]
    (_, angle), _ = cv2.phaseCorrelate(*polar)
    turn = 180 / _ANGLES * angle
    for rotation in (turn, turn + 180):
        turned = Similarity(0.0, 0.0, rotation, 1.0).matrix(width, height)
        back = cv2.warpAffine(
            greys[1],
            of_pixels(turned),
            (width, height),
            flags=cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR,
        )
        moved, _ = cv2.phaseCorrelate(greys[0], back, window)
        shift_x, shift_y = turned[:, :2] @ moved
        yield Similarity(float(shift_x), float(shift_y), rotation, 1.0)


def _polar_spectrum(grey: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """The logarithm of the spectrum by angle (rows, half a turn) and frequency (columns)."""
    square = np.zeros((side, side), np.float32)
    square[: grey.shape[0], : grey.shape[1]] = grey
    spectrum = np.log1p(np.abs(np.fft.fftshift(np.fft.fft2(square)))).astype(np.float32)
    polar: NDArray[np.float32] = cv2.warpPolar(
        spectrum, (side // 2, 2 * _ANGLES), (side / 2, side / 2), side / 2, cv2.WARP_POLAR_LINEAR
    )
    half = polar[:_ANGLES]
    return half - half.mean(axis=0)


def _refined(
    view: NDArray[np.uint8],
    image: NDArray[np.uint8],
    start: Similarity,
    effort: tuple[int, float],
    counts: NDArray[np.uint8] | None = None,
) -> Registration:
    """The similarity after refinement by ECC, on the pixels of the image that count."""
    height, width = view.shape
    matrix = of_pixels(start.matrix(width, height)).astype(np.float32)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, *effort)
    try:
        _, matrix = cv2.findTransformECC(
            view, image, matrix, cv2.MOTION_AFFINE, criteria, counts, _BLUR
        )
    except cv2.error:  # it does not converge: the pictures do not fit there
        return Registration(start, _Overlap.of(view, image, start).correlation)
    found = Similarity.of_matrix(of_points(matrix.astype(np.float64)), width, height)
    return Registration(found, _Overlap.of(view, image, found).correlation)


def _alike(view: NDArray[np.uint8], image: NDArray[np.uint8], at: Similarity) -> NDArray[np.uint8]:
    """The pixels of an image that look like the view, which a defect does not, (h, w) 0 or 255."""
    overlap = _Overlap.of(view, image, at)
    off = np.abs(overlap.view_values - overlap.image_values)
    limit = _OUTLIER * max(float(np.median(off)), _LEAST_NOISE)
    differs = np.zeros_like(view)
    differs[overlap.covered] = np.where(off > limit, 255, 0)
    kernel = np.ones((_BLUR, _BLUR), np.uint8)
    differs = cv2.dilate(cv2.morphologyEx(differs, cv2.MORPH_OPEN, kernel[1:-1, 1:-1]), kernel)
    alike = np.zeros_like(view)
    # Blurring mixes what is at an edge with what is beyond it, which another image need not show.
    alike[_BLUR:-_BLUR, _BLUR:-_BLUR] = 255 - differs[_BLUR:-_BLUR, _BLUR:-_BLUR]
    height, width = view.shape
    matrix = of_pixels(at.matrix(width, height))
    return cv2.warpAffine(alike, matrix, (width, height), flags=cv2.INTER_NEAREST)


@dataclass(frozen=True)
class _Overlap:
    """The pixels of the view that an image covers, and the values of both there, normalised."""

    covered: NDArray[np.bool_]
    view_values: NDArray[np.float64]
    image_values: NDArray[np.float64]

    @classmethod
    def of(cls, view: NDArray[np.uint8], image: NDArray[np.uint8], at: Similarity) -> _Overlap:
        height, width = view.shape
        matrix = of_pixels(at.matrix(width, height))
        flags = cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR
        back = cv2.warpAffine(image, matrix, (width, height), flags=flags)
        white = np.full_like(image, 255)
        covered = cv2.warpAffine(white, matrix, (width, height), flags=flags) == 255
        return cls(covered, *(_normalised(each[covered]) for each in (view, back)))

    @property
    def correlation(self) -> float:
        """In [-1, 1]; -1 if too few pixels overlap."""
        if len(self.view_values) < _FEWEST_PIXELS:
            return -1.0
        return float((self.view_values * self.image_values).mean())


def _normalised(values: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Values with mean 0 and standard deviation 1; all 0 if they are equal."""
    centred = values - (values.mean() if values.size else 0.0)
    spread = centred.std() if values.size else 0.0
    return centred / spread if spread else centred
