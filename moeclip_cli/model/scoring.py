"""From similarities to scores and anomaly maps (paper section 3.5 and the deployed score).

Shapes: M maps, B images, L patches, S side of a square network input in pixels, H and W height and
width of one that keeps the aspect ratio of its image.

One forward pass gives two kinds of numbers. The *raw* ones are the paper's: unbounded sums that its
evaluation normalises over a whole test set. The *deployed* ones are in [0, 1] and independent of
the other images in the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from moeclip_cli.model.bank import image_score
from moeclip_cli.model.config import Domain
from moeclip_cli.model.moeclip import Comparison

# CLIP's temperature, fixed in MoECLIP.
LOGIT_SCALE = 100.0
# Kernel size and sigma in patches.
_BLUR: dict[Domain, tuple[int, float]] = {"industrial": (7, 1.0), "medical": (9, 1.5)}


@dataclass(frozen=True)
class Scores:
    """Scores of a batch, float32.

    Attributes:
        score: (B,) deployed anomaly score in [0, 1].
        probability: (B, H, W) deployed anomaly map in [0, 1]; the score uses its maximum.
        map_max: (B,) maximum of the raw map.
        image_score: (B,) the paper's raw image score in [0, 1].
        raw_map: (B, H, W) the paper's raw anomaly map (unbounded).
        image_part: (B,) what the similarity of the whole image contributes to `score`; the rest of
            it comes from the map.
        zero_shot: (B,) the deployed zero-shot score, where `score` is a distance to references and
            the model has both.
        distances: (B, N, rows, columns) distances of the patches to each of N subsets of the
            references, if there are any.
    """

    score: Tensor
    probability: Tensor
    map_max: Tensor
    image_score: Tensor
    raw_map: Tensor
    image_part: Tensor
    zero_shot: Tensor | None = None
    distances: Tensor | None = None


def score(comparison: Comparison, size: int, domain: Domain, image_weight: float = 0.5) -> Scores:
    """Score a batch of images.

    With s = 100 V T the patch similarities and P their mean softmax over the maps, blurred and
    resized, the deployed score is

        industrial: (1 - w) * max P + w * softmax(v T)[abnormal]        medical: max P

    Args:
        comparison: similarities from the network.
        size: side S of the network input in pixels.
        domain: determines the blur and the formula, as in the paper.
        image_weight: w.
    """
    return score_scales((comparison,), size, domain, image_weight)


def score_scales(
    comparisons: Sequence[Comparison],
    size: int,
    domain: Domain,
    image_weight: float = 0.5,
    inside: Tensor | None = None,
) -> Scores:
    """Score a batch of images that the network has seen at several sizes.

    The formula is that of `score`, with maps and image scores averaged over the sizes.

    Args:
        comparisons: similarities from the network, one for each size.
        size: side S of the maps in pixels.
        domain: determines the blur and the formula.
        image_weight: w.
        inside: (B, S, S) bool, the pixels of the maps that count; all by default. Maps are 0 on the
            others.
    """
    maps = [anomaly_maps(comparison, size, domain) for comparison in comparisons]
    raw_map, probability = (torch.stack(part).mean(dim=0) for part in zip(*maps, strict=True))
    map_max = _maximum(raw_map, inside)
    if inside is not None:
        raw_map, probability = raw_map * inside, probability * inside
    images = torch.stack([comparison.image.float() for comparison in comparisons])
    map_part = probability.amax(dim=(-2, -1))
    image_part = torch.zeros_like(map_part)
    if domain == "industrial":
        abnormal = images.softmax(dim=-1)[..., 1].mean(dim=0)
        map_part = (1 - image_weight) * map_part
        image_part = image_weight * abnormal
    return Scores(
        score=map_part + image_part,
        probability=probability,
        map_max=map_max,
        image_score=(images[..., 1].mean(dim=0) + 1) / 2,
        raw_map=raw_map,
        image_part=image_part,
    )


def score_distances(
    distances: Tensor,
    grid: tuple[int, int],
    size: tuple[int, int],
    domain: Domain,
    inside: Tensor | None = None,
) -> Scores:
    """Score a batch of images by the distances of their patches to reference patches.

    The score is the mean of the largest distances (AnomalyDINO), the map is the distances, blurred
    and resized as the deployed map is. Both are in [0, 1].

    Args:
        distances: (B, L) cosine distances, see `PatchBank.distances`.
        grid: rows and columns of the patches.
        size: height H and width W of the maps in pixels.
        domain: determines the blur.
        inside: (B, H, W) bool, the pixels of the maps that count, at least one of each image; all
            by default. Patches without such a pixel do not count, and maps are 0 on other pixels.
    """
    maps = distance_maps(distances, grid, size, domain)
    if inside is None:
        found, map_max = image_score(distances), distances.amax(dim=1)
    else:
        counted = patches_inside(inside, grid)
        pairs = list(zip(distances, counted, strict=True))
        found = torch.cat([image_score(one[own][None]) for one, own in pairs])
        map_max = _maximum(distances, counted)
        maps = maps * inside
    return Scores(
        score=found,
        probability=maps,
        map_max=map_max,
        image_score=found,
        raw_map=maps,
        image_part=torch.zeros_like(found),
    )


def distance_maps(
    distances: Tensor, grid: tuple[int, int], size: tuple[int, int], domain: Domain
) -> Tensor:
    """The maps (B, H, W) of `score_distances`, before anything is left out."""
    return _to_pixels(distances, grid, size, domain).clamp(0, 1)


def patches_inside(inside: Tensor, grid: tuple[int, int]) -> Tensor:
    """The patches that contain a pixel of `inside` (B, H, W), (B, L) bool."""
    return F.adaptive_max_pool2d(inside.float(), grid).flatten(1) > 0


def _maximum(values: Tensor, inside: Tensor | None) -> Tensor:
    """Maximum of each image (B, ...), of the values inside if they are given."""
    if inside is not None:
        values = values.masked_fill(~inside, -torch.inf)
    return values.flatten(1).amax(dim=1)


def anomaly_maps(comparison: Comparison, size: int, domain: Domain) -> tuple[Tensor, Tensor]:
    """Raw anomaly map and probability P of one size, each (B, S, S), see `score`."""
    similarity = LOGIT_SCALE * comparison.patches.float()
    # Blur and resizing are linear, so they run once on the sum over the maps.
    raw = ((similarity[..., 1] + 1 - similarity[..., 0]) / 2).sum(dim=0)
    mean = similarity.softmax(dim=-1)[..., 1].mean(dim=0)
    side = round(raw.shape[1] ** 0.5)
    grid, pixels = (side, side), (size, size)
    # A bicubic kernel could leave [0, 1], this one only by rounding.
    return (
        _to_pixels(raw, grid, pixels, domain),
        _to_pixels(mean, grid, pixels, domain).clamp(0, 1),
    )


def _to_pixels(
    values: Tensor, grid: tuple[int, int], size: tuple[int, int], domain: Domain
) -> Tensor:
    """Blurred maps (B, H, W) of patch values (B, L)."""
    blurred = _blur(values.unflatten(1, grid).unsqueeze(1), *_BLUR[domain])
    resized = F.interpolate(blurred, size=size, mode="bilinear", align_corners=True)
    return resized.squeeze(1)


def _blur(maps: Tensor, kernel: int, sigma: float) -> Tensor:
    """Gaussian blur of maps (B, 1, rows, columns), mirrored at the border."""
    half = kernel // 2
    offsets = torch.arange(-half, half + 1, dtype=maps.dtype, device=maps.device)
    weights = torch.exp(-0.5 * (offsets / sigma) ** 2)
    weights = weights / weights.sum()
    padded = F.pad(maps, (half, half, half, half), mode="reflect")
    rows = F.conv2d(padded, weights.view(1, 1, 1, -1))
    return F.conv2d(rows, weights.view(1, 1, -1, 1))
