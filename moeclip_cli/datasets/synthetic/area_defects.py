"""Extended defects: stains, holes, foreign material, distortions, wear and the like."""

from __future__ import annotations

import cv2
import numpy as np

from moeclip_cli.datasets.synthetic.colours import paint, random_colour
from moeclip_cli.datasets.synthetic.defect_drawing import (
    SOFT_EDGE,
    DrawnDefect,
    Site,
    blend,
    blob,
    shift_tone,
    tint,
    to_alpha,
    visible_contrast,
)
from moeclip_cli.datasets.synthetic.fields import (
    FloatArray,
    bend,
    fractal_noise,
    log_uniform,
    smoothstep,
)
from moeclip_cli.datasets.synthetic.textures import PATTERNS


def stain(image: FloatArray, site: Site, rng: np.random.Generator) -> DrawnDefect:
    """A stain or discoloured ring."""
    alpha = blob(rng, image.shape[0], site, 0.02, 0.16)
    if rng.random() < 0.25:
        ring = alpha * (1 - alpha) * 4
        alpha = np.maximum(ring, alpha * np.float32(rng.uniform(0, 0.6)))
    return shift_tone(image, alpha, tint(rng, visible_contrast(rng, image, site)))


def hole(image: FloatArray, site: Site, rng: np.random.Generator) -> DrawnDefect:
    """A hole or inclusion, sometimes with a rim."""
    n = image.shape[0]
    alpha = blob(rng, n, site, 0.012, 0.07)
    inside = np.float32(rng.uniform(0, 0.25)) if rng.random() < 0.7 else random_colour(rng, 0, 1)
    changed, mask = blend(image, alpha, inside)
    if rng.random() < 0.4:
        rim = np.clip(cv2.GaussianBlur(alpha, (0, 0), n / 112) - alpha, 0, 1)
        changed = np.clip(changed + rim[..., None] * np.float32(rng.uniform(-0.8, 0.8)), 0, 1)
        mask |= rim > SOFT_EDGE
    return changed, mask


def _rearranged(image: FloatArray, site: Site, rng: np.random.Generator) -> FloatArray:
    """Rotate, scale and shift the image, so that another part of it is at the site."""
    n = image.shape[0]
    turn = cv2.getRotationMatrix2D(site.centre, rng.uniform(25, 335), log_uniform(rng, 0.6, 1.7))
    turn[:, 2] += rng.uniform(-0.5, 0.5, 2) * n
    return cv2.warpAffine(image, turn, (n, n), borderMode=cv2.BORDER_REFLECT_101)


def cut_paste(image: FloatArray, site: Site, rng: np.random.Generator) -> DrawnDefect:
    """A patch copied from another part of the image."""
    alpha = blob(rng, image.shape[0], site, 0.03, 0.15)
    return blend(image, alpha, _rearranged(image, site, rng) + np.float32(rng.normal(0, 0.04)))


def foreign(image: FloatArray, site: Site, rng: np.random.Generator) -> DrawnDefect:
    """A patch of another material."""
    n = image.shape[0]
    texture = paint(rng, np.clip(PATTERNS[str(rng.choice(list(PATTERNS)))](rng, n), 0, 1))
    alpha = blob(rng, n, site, 0.02, 0.14)
    return blend(image, alpha * np.float32(rng.uniform(0.3, 1)), texture)


def blur(image: FloatArray, site: Site, rng: np.random.Generator) -> DrawnDefect:
    """A blurred patch."""
    n = image.shape[0]
    alpha = blob(rng, n, site, 0.04, 0.18)
    return blend(image, alpha, cv2.GaussianBlur(image, (0, 0), rng.uniform(1.5, 5) * n / 224))


def warp(image: FloatArray, site: Site, rng: np.random.Generator) -> DrawnDefect:
    """A distorted patch."""
    n = image.shape[0]
    alpha = cv2.GaussianBlur(blob(rng, n, site, 0.04, 0.16), (0, 0), n / 56)
    reach = np.float32(rng.uniform(4, 14) * n / 224)
    shifts = [fractal_noise(rng, n, rng.uniform(4, 12), 1) * reach * alpha for _ in range(2)]
    return bend(image, *shifts), alpha > SOFT_EDGE


def shift(image: FloatArray, site: Site, rng: np.random.Generator) -> DrawnDefect:
    """A strip shifted along its length."""
    n = image.shape[0]
    width, length = (
        int(max(3, log_uniform(rng, *span) * n)) for span in ((0.02, 0.12), (0.1, 0.6))
    )
    slip = [int(rng.integers(-2, 3)), int(rng.uniform(0.02, 0.08) * n) + 2]
    if rng.random() < 0.5:
        width, length, slip = length, width, slip[::-1]
    x, y = (int(c) for c in site.centre)
    top, left = max(y - width // 2, 0), max(x - length // 2, 0)
    alpha = np.zeros((n, n), np.float32)
    alpha[top : top + width, left : left + length] = 1
    moved = np.roll(image, slip, (0, 1))
    return blend(image, alpha, moved + np.float32(rng.normal(0, 0.05)))


def missing(image: FloatArray, site: Site, rng: np.random.Generator) -> DrawnDefect:
    """A missing piece that shows the background, or a smooth area instead of structure."""
    n = image.shape[0]
    alpha = blob(rng, n, site, 0.03, 0.12)
    behind = ~site.foreground
    if behind.mean() > 0.03:
        fill = np.median(image[behind][:: max(1, int(behind.sum()) // 2000)], 0)
        return blend(image, alpha, fill.astype(np.float32))
    return blend(image, alpha, np.median(image.reshape(-1, 3)[::23], 0).astype(np.float32))


def wear(image: FloatArray, site: Site, rng: np.random.Generator) -> DrawnDefect:
    """An abraded area of fine parallel scores."""
    n = image.shape[0]
    alpha = blob(rng, n, site, 0.04, 0.16)
    scores = fractal_noise(rng, n, rng.uniform(40, 90), 1, stretch=rng.uniform(4, 20))
    turn = cv2.getRotationMatrix2D((n / 2, n / 2), rng.uniform(0, 360), 1.5)
    scores = cv2.warpAffine(scores, turn, (n, n), borderMode=cv2.BORDER_REFLECT)
    contrast = abs(visible_contrast(rng, image, site))
    change = contrast * (scores * 0.6 + np.float32(rng.normal(0, 0.4)))
    return np.clip(image + (alpha * change)[..., None], 0, 1), alpha > SOFT_EDGE


def shade(image: FloatArray, site: Site, rng: np.random.Generator) -> DrawnDefect:
    """A straight-edged area that is darker or lighter than it should be."""
    n = image.shape[0]
    sides = np.array([log_uniform(rng, 0.03, 0.35), log_uniform(rng, 0.03, 0.35)]) * n
    angle = 0.0 if rng.random() < 0.7 else rng.uniform(0, 90)
    corners = cv2.boxPoints((site.centre, tuple(sides.tolist()), angle))
    canvas = np.zeros((n, n), np.uint8)
    cv2.fillPoly(canvas, [np.round(corners * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    alpha = to_alpha(canvas, rng.uniform(0, 0.012) * n)
    return shift_tone(image, alpha, tint(rng, visible_contrast(rng, image, site)))


def dent(image: FloatArray, site: Site, rng: np.random.Generator) -> DrawnDefect:
    """A dent or bubble: a curved surface lit from one side."""
    n = image.shape[0]
    alpha = cv2.GaussianBlur(blob(rng, n, site, 0.03, 0.12), (0, 0), rng.uniform(2, 5) * n / 224)
    angle = rng.uniform(0, 2 * np.pi)
    dx, dy = cv2.Sobel(alpha, cv2.CV_32F, 1, 0), cv2.Sobel(alpha, cv2.CV_32F, 0, 1)
    slope = dx * np.float32(np.cos(angle)) + dy * np.float32(np.sin(angle))
    slope = slope / np.float32(max(float(np.abs(slope).max()), 1e-6))
    reach = np.float32(rng.uniform(10, 40) * n / 224)
    bent = bend(image, dx * reach, dy * reach)
    changed = bent + slope[..., None] * np.float32(abs(visible_contrast(rng, image, site)))
    return np.clip(changed, 0, 1), alpha > SOFT_EDGE


def corrosion(image: FloatArray, site: Site, rng: np.random.Generator) -> DrawnDefect:
    """A corroded patch."""
    n = image.shape[0]
    patch = blob(rng, n, site, 0.04, 0.16)
    noise = fractal_noise(rng, n, rng.uniform(20, 50), 3, 0.7)
    alpha = patch * smoothstep(noise, -0.4, 0.8)
    base = np.array([0.45, 0.25, 0.1]) + rng.normal(0, 0.06, 3)
    if rng.random() < 0.3:
        base = np.asarray(rng.uniform(0.1, 0.9) * np.ones(3))
    rust = base.astype(np.float32) * (1 + np.float32(0.3) * noise[..., None])
    return blend(image, alpha, rust)


def smear(image: FloatArray, site: Site, rng: np.random.Generator) -> DrawnDefect:
    """A patch smeared in one direction."""
    n = image.shape[0]
    alpha = blob(rng, n, site, 0.04, 0.16)
    reach = max(5, int(rng.uniform(0.04, 0.1) * n)) | 1
    kernel = np.zeros((reach, reach), np.uint8)
    angle = rng.uniform(0, np.pi)
    offset = np.array([np.cos(angle), np.sin(angle)]) * reach / 2
    ends = np.round(np.array([-offset, offset]) + reach // 2).astype(int)
    cv2.line(kernel, ends[0].tolist(), ends[1].tolist(), 1, 1)
    dragged = cv2.filter2D(image, -1, kernel.astype(np.float32) / max(int(kernel.sum()), 1))
    return blend(image, alpha, dragged + np.float32(rng.normal(0, 0.05)))


def discolour(image: FloatArray, site: Site, rng: np.random.Generator) -> DrawnDefect:
    """A patch with a different hue or saturation but the same structure."""
    alpha = blob(rng, image.shape[0], site, 0.03, 0.18)
    gain = np.exp(rng.normal(0, 0.35, 3)).astype(np.float32)
    return blend(image, alpha, np.clip(image * gain + np.float32(rng.normal(0, 0.05)), 0, 1))


def dead(image: FloatArray, site: Site, rng: np.random.Generator) -> DrawnDefect:
    """A large area with a ragged edge that is darker or, rarely, lighter."""
    n = image.shape[0]
    sides = np.array([log_uniform(rng, 0.06, 0.5), log_uniform(rng, 0.06, 0.5)]) * n
    x, y = (np.arange(n, dtype=np.float32) - np.float32(c) for c in site.centre)
    angle = rng.uniform(0, 2 * np.pi) if rng.random() < 0.4 else 0.0
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    u, v = x[None, :] * cos + y[:, None] * sin, y[:, None] * cos - x[None, :] * sin
    cut = rng.normal(0, 0.7) * u - v
    cut = cut + fractal_noise(rng, n, rng.uniform(3, 9), 3) * np.float32(rng.uniform(0, 0.04) * n)
    box = np.maximum(np.abs(u) - sides[0] / 2, np.abs(v) - sides[1] / 2)
    area = np.clip(np.minimum(cut + sides[1] / 4, -box) + 0.5, 0, 1).astype(np.float32)
    alpha = cv2.GaussianBlur(area, (0, 0), rng.uniform(0.3, 2.5) * n / 224)
    gain = rng.uniform(0.15, 0.85) if rng.random() < 0.8 else rng.uniform(1.2, 1.8)
    return blend(image, alpha, np.clip(image * np.float32(gain), 0, 1))
