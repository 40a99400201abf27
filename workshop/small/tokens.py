"""Tokens of training pairs on disk: the frozen tower sees every picture once.

A shard is a folder with

    tokens.npy    (2 n, N, L, D) float16: of each pair the clean picture, then the defective one
    covered.npy   (2 n, L) float16: the fraction of each patch that the defect covers
    rarity.npy    (2 n, N, L, F) float16, see `moeclip_cli.model.self_comparison`
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from moeclip_cli.checkpoints.loading import load_tower
from moeclip_cli.images.preprocess import preprocess
from small.photographs import Photographs
from small.pictures import make_pair

LAYERS = (3, 6, 9, 12)


@dataclass(frozen=True)
class Shard:
    """Pairs `first`, `first + step`, ... of a sequence, at one size of the network input."""

    seed: int
    first: int
    step: int
    pairs: int
    size: int
    share: float


@torch.inference_mode()
def write_shard(shard: Shard, sources: Photographs, folder: Path, layers=LAYERS) -> None:
    """Compute the tokens of a shard; a folder that is complete is left as it is."""
    if (folder / "done").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    network = load_tower(layers=layers, image_size=shard.size).network
    network.set_precision(torch.bfloat16)
    for block in network.backbone.vision.blocks:
        block.attn.fused_attn = False
    grid = shard.size // network.backbone.architecture.patch_size
    width = network.backbone.architecture.vision_width
    shape = (2 * shard.pairs, len(layers), grid * grid, width)
    tokens = np.lib.format.open_memmap(folder / "tokens.npy", "w+", np.float16, shape)
    covered = np.zeros((2 * shard.pairs, grid * grid), np.float16)
    for index in range(shard.pairs):
        number = shard.first + index * shard.step
        pair = make_pair(shard.seed, number, shard.size, sources, shard.share)
        mask = torch.from_numpy(pair.mask)[None, None]
        covered[2 * index + 1] = F.adaptive_avg_pool2d(mask, grid).flatten().numpy()
        for offset, pixels in enumerate((pair.clean, pair.defective)):
            image = preprocess(pixels, shard.size, network.preprocessing)
            levels = network.levels(image[None]).tokens
            tokens[2 * index + offset] = torch.cat(levels).half().numpy()
    np.save(folder / "covered.npy", covered)
    tokens.flush()
    (folder / "done").touch()


def read_shard(folder: Path) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
    """Tokens, mapped into memory, and covered fractions of a shard."""
    return np.load(folder / "tokens.npy", mmap_mode="r"), np.load(folder / "covered.npy")
