"""The losses of the paper (sections 3.2 to 3.4), each for one batch.

Shapes: M maps, B images, L = g * g patches, S side of the mask in pixels, b images, t tokens,
K experts, r rank, D width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from moeclip_cli.model.experts import MoEAdapter, Routing

_FOCAL_GAMMA = 2
# The one-hot target of the focal loss stays this far from 0 and 1, and so does the logarithm.
_FOCAL_EPS = 1e-5
_DICE_SMOOTH = 1.0
_ETF_EPS = 1e-6
_BALANCE_EPS = 1e-6


def image_loss(similarity: Tensor, label: Tensor) -> Tensor:
    """Cross-entropy of plain cosine similarities (B, 2) against labels (B,), 1 for anomalous."""
    return F.cross_entropy(similarity.float(), label.long())


def segmentation_loss(similarity: Tensor, mask: Tensor) -> Tensor:
    """Sum over the maps of focal and dice loss.

    P is the softmax of the similarities resized bilinearly (align_corners) to the mask. With two
    classes it is the sigmoid of their difference, and both losses follow from the probability of
    each pixel's true class.

    Args:
        similarity: (M, B, L, 2) patch similarities times CLIP's temperature.
        mask: (B, S, S), 1 where anomalous, else 0.
    """
    difference = (similarity[..., 1] - similarity[..., 0]).float()
    grid = round(difference.shape[-1] ** 0.5)
    maps = difference.unflatten(-1, (grid, grid))
    # Full-size maps would outweigh a block of the tower, so the backward pass makes them again.
    losses = [
        checkpoint(_map_loss, one_map, mask, use_reentrant=False, preserve_rng_state=False)
        for one_map in maps
    ]
    return torch.stack(losses).sum()


def _map_loss(difference: Tensor, mask: Tensor) -> Tensor:
    """Focal and dice loss of one map (B, g, g) of abnormal minus normal similarity."""
    logits = F.interpolate(
        difference.unsqueeze(1), size=mask.shape[-2:], mode="bilinear", align_corners=True
    ).squeeze(1)
    true = torch.sigmoid(logits * (2 * mask - 1))
    return focal_loss(true) + dice_loss(true, mask)


def focal_loss(true: Tensor) -> Tensor:
    """Focal loss without class weights.

    Args:
        true: (B, S, S) probability of each pixel's true class.
    """
    p = (1 - _FOCAL_EPS) * true + _FOCAL_EPS * (1 - true) + _FOCAL_EPS
    return -((1 - p) ** _FOCAL_GAMMA * p.log()).mean()


def dice_loss(true: Tensor, mask: Tensor) -> Tensor:
    """Dice loss of the normal plus that of the abnormal class, each the mean over images.

    Args:
        true: (B, S, S) probability of each pixel's true class.
        mask: (B, S, S), 1 where anomalous, else 0.
    """
    pixels = mask[0].numel()
    abnormal = mask.sum(dim=(-2, -1))
    found = (true * mask).sum(dim=(-2, -1))
    passed = (true * (1 - mask)).sum(dim=(-2, -1))
    # The probability that the true class lacks belongs to the other class.
    false_alarms, missed = pixels - abnormal - passed, abnormal - found
    losses = [
        1 - (2 * right + _DICE_SMOOTH) / (right + wrong + size + _DICE_SMOOTH)
        for right, wrong, size in (
            (found, false_alarms, abnormal),
            (passed, missed, pixels - abnormal),
        )
    ]
    return torch.stack(losses).mean(dim=1).sum()


def etf_loss(routing: Routing, adapter: MoEAdapter) -> Tensor:
    """Distance of one layer's expert outputs from a simplex equiangular tight frame.

    For every token the outputs of *all* experts, chosen or not, are L2-normalised; their Gram
    matrix is compared with 1 on the diagonal and -1 / (K - 1) elsewhere, by mean squared error.

    The outputs B_e a_e are not computed: their inner products are a_e^T (B_e^T B_f) a_f, r x r at a
    time. As in `F.normalize`, a length below 1e-6 counts as 1e-6 and has no gradient.

    Args:
        routing: of the layer; `low_rank` (b, t, K, r) are the a_e.
        adapter: the layer.
    """
    low_rank = routing.low_rank.float().flatten(0, 1)
    experts, rank = low_rank.shape[-2:]
    outputs = adapter.scale * adapter.lora_b.float().transpose(0, 1).flatten(1)
    inner = (outputs.T @ outputs).view(experts, rank, experts, rank)
    gram = torch.einsum("ner,erfs,nfs->nef", low_rank, inner, low_rank)
    lengths = gram.diagonal(dim1=-2, dim2=-1).clamp(min=_ETF_EPS**2).sqrt()
    cosine = gram / (lengths.unsqueeze(-1) * lengths.unsqueeze(-2))
    frame = torch.full_like(cosine[0], -1 / max(experts - 1, 1)).fill_diagonal_(1)
    return (cosine - frame).square().mean()


def expert_load(routing: Routing) -> Tensor:
    """Sum of the router's probabilities over all tokens for each expert of one layer, (K,)."""
    return routing.probabilities.sum(dim=(0, 1))


def balance_loss(load: Tensor) -> Tensor:
    """Squared coefficient of variation of the experts' loads (K,), with the unbiased deviation.

    It is not additive: for a batch in parts, add up their loads first.
    """
    if len(load) == 1:
        return load.sum() * 0
    return load.var() / (load.mean() + _BALANCE_EPS) ** 2
