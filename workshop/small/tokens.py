"""Tokens of pictures on disk: the frozen tower sees every picture once.

A shard is a folder with

    tokens.npy      (2 n, N, L, D) float16: of each pair the clean picture, then the defective one
    distances.npy   (2 n, N, L, K) float16, see `moeclip_cli.model.self_comparison`
    covered.npy     (2 n, L) float16: the fraction of each patch that the defect covers
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from moeclip_cli.checkpoints.loading import load_tower
from moeclip_cli.images.preprocess import preprocess
from moeclip_cli.model.self_comparison import DISTANCES, self_distances
from small.photographs import Photographs
from small.pictures import make_pair

Statistics = tuple[Tensor, Tensor]
_Job = TypeVar("_Job")

# Photographs of a worker process.
_sources: Photographs | None = None

_SHARD = 200
# Pictures that the mean and deviation of the tokens are taken from.
_MEASURED = 200


@dataclass(frozen=True)
class Cached:
    """A batch of pictures: tokens (B, N, L, D), distances (B, N, L, K), covered (B, L)."""

    tokens: Tensor
    distances: Tensor
    covered: Tensor


@dataclass(frozen=True)
class Pairs:
    """Pairs `first` to `first + count` of a sequence, see `make_pair`."""

    seed: int
    first: int
    count: int
    size: int
    photographs: float


class Cache:
    """The pairs of some shards; pair n is the pictures 2 n and 2 n + 1."""

    def __init__(self, shards: Sequence[Path]) -> None:
        self._parts = [
            tuple(np.load(shard / f"{part}.npy", mmap_mode="r") for part in _PARTS)
            for shard in shards
        ]
        self._ends = np.cumsum([len(part[0]) // 2 for part in self._parts])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def read(self, numbers: Sequence[int]) -> Cached:
        """The pictures of pairs."""
        rows = [self._pair(number) for number in numbers]
        found = (np.concatenate([row[part] for row in rows]) for part in range(len(_PARTS)))
        return Cached(*(torch.from_numpy(array).float() for array in found))

    def _pair(self, number: int) -> tuple[NDArray[np.float16], ...]:
        shard = int(np.searchsorted(self._ends, number, side="right"))
        start = 2 * (number - (self._ends[shard - 1] if shard else 0))
        return tuple(array[start : start + 2] for array in self._parts[shard])


_PARTS = ("tokens", "distances", "covered")


def write_cache(
    folder: Path, pairs: Pairs, sources: Photographs, layers: tuple[int, ...], workers: int
) -> list[Path]:
    """Compute what is missing of a cache; returns its shards."""
    starts = range(0, pairs.count, _SHARD)
    parts = [
        Pairs(
            pairs.seed,
            pairs.first + start,
            min(_SHARD, pairs.count - start),
            pairs.size,
            pairs.photographs,
        )
        for start in starts
    ]
    levels = "+".join(map(str, layers))
    shards = [folder / f"{part.seed}-{part.first}-{part.size}-{levels}" for part in parts]
    missing = [pair for pair in zip(parts, shards, strict=True) if not pair[1].exists()]
    _for_each(missing, partial(_write_tokens, layers=layers), workers, sources)
    return shards


def statistics(shards: Sequence[Path]) -> Statistics:
    """Mean and deviation (N, D) of the tokens of each level, over some pictures."""
    tokens = np.concatenate(
        [np.load(shard / "tokens.npy", mmap_mode="r")[: _MEASURED // 2] for shard in shards[:2]]
    )
    rows = torch.from_numpy(tokens).float().transpose(0, 1).flatten(1, 2)
    return rows.mean(dim=1), rows.std(dim=1)


def write_distances(shards: Sequence[Path], measured: Statistics, workers: int) -> None:
    """Compute the distances of the shards that lack them."""
    missing = [shard for shard in shards if not (shard / "distances.npy").exists()]
    _for_each(missing, partial(_write_distances, measured=measured), workers)


def _for_each(
    jobs: Sequence[_Job],
    work: Callable[[_Job], None],
    workers: int,
    sources: Photographs | None = None,
) -> None:
    """Do jobs in so many processes, or in this one."""
    if workers == 1:
        _keep(sources)
        for job in jobs:
            work(job)
        return
    # A forked process would hang on the thread pools that torch and OpenCV have created here.
    with ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_prepare, initargs=(sources,)
    ) as pool:
        list(pool.map(work, jobs))


def _keep(sources: Photographs | None) -> None:
    global _sources
    _sources = sources


def _prepare(sources: Photographs | None) -> None:
    """Prepare a worker process: one thread, and the photographs, which are sent to it once."""
    _keep(sources)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


@torch.inference_mode()
def _write_tokens(job: tuple[Pairs, Path], layers: tuple[int, ...]) -> None:
    pairs, folder = job
    network = load_tower(layers=layers, image_size=pairs.size).network
    network.set_precision(torch.bfloat16)
    architecture = network.backbone.architecture
    grid = pairs.size // architecture.patch_size
    shape = (2 * pairs.count, len(layers), grid * grid, architecture.vision_width)
    partial_folder = folder.with_suffix(".partial")
    partial_folder.mkdir(parents=True, exist_ok=True)
    tokens = np.lib.format.open_memmap(partial_folder / "tokens.npy", "w+", np.float16, shape)
    covered = np.zeros((2 * pairs.count, grid * grid), np.float16)
    for index in range(pairs.count):
        number = pairs.first + index
        pair = make_pair(pairs.seed, number, pairs.size, _sources, pairs.photographs)
        mask = torch.from_numpy(pair.mask)[None, None]
        covered[2 * index + 1] = F.adaptive_avg_pool2d(mask, grid).flatten().numpy()
        for offset, pixels in enumerate((pair.clean, pair.defective)):
            image = preprocess(pixels, pairs.size, network.preprocessing)
            levels = network.levels(image[None]).tokens
            tokens[2 * index + offset] = torch.cat(levels).half().numpy()
    tokens.flush()
    np.save(partial_folder / "covered.npy", covered)
    partial_folder.rename(folder)


@torch.inference_mode()
def _write_distances(shard: Path, measured: Statistics) -> None:
    mean, deviation = (part[:, None] for part in measured)
    tokens = np.load(shard / "tokens.npy", mmap_mode="r")
    found = np.empty((*tokens.shape[:3], DISTANCES), np.float16)
    for number, picture in enumerate(tokens):
        levels = (torch.from_numpy(picture.copy()).float() - mean) / deviation
        found[number] = self_distances(levels).half().numpy()
    partial_file = shard / "distances.partial.npy"
    np.save(partial_file, found)
    partial_file.rename(shard / "distances.npy")
