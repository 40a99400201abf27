"""Tokens of pictures on disk: the frozen towers see every picture once.

A shard is a folder with

    tokens.npy              (2 n, N, L, D) float16: of each pair the clean, then the defective one
    distances.npy           (2 n, N, L, K) float16, see `moeclip_cli.model.self_comparison`
    detail0.npy, ...        (2 n, L', E / 2) float16: of the second tower, at each of its sizes
    covered.npy             (2 n, L) float16: the fraction of each patch that the defect covers
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from moeclip_cli.checkpoints.loading import load_tower
from moeclip_cli.images.preprocess import preprocess
from moeclip_cli.model.detail import on_grid
from moeclip_cli.model.self_comparison import self_distances
from moeclip_cli.training.state import write_torch_file
from small.detail import detail_of_mini
from small.photographs import Photographs
from small.pictures import Pair, Pixels, make_pair

Statistics = tuple[Tensor, Tensor]

_SHARD = 100
_DETAIL = ("detail0", "detail1")
_PARTS = ("tokens", "distances", *_DETAIL, "covered")
# Clean pictures that the mean and deviation of the tokens are taken from, and every how many
# patches.
_MEASURED, _EVERY = 40, 4
# Pairs that those of the second tower are taken from.
_DETAIL_MEASURED = 24
# A window of a defective picture shows a patch that is covered this much, most of the time.
_SHOWN, _SHOWN_SHARE = 0.3, 0.85


@dataclass(frozen=True)
class Pairs:
    """Pairs `first` to `first + count` of a sequence, see `make_pair`."""

    seed: int
    first: int
    count: int
    size: int
    photographs: float


@dataclass(frozen=True)
class Cached:
    """A batch of pictures, or of square windows of them.

    Attributes:
        tokens: (B, N, L, D) bfloat16.
        distances: (B, N, L, K).
        detail: (B, L, E) bfloat16, not standardised.
        covered: (B, L).
    """

    tokens: Tensor
    distances: Tensor
    detail: Tensor
    covered: Tensor

    @property
    def grid(self) -> int:
        """Patches in a row."""
        return round(self.covered.shape[1] ** 0.5)


class Towers:
    """DINOv2 in bfloat16, and the second tower in float32.

    Args:
        layers: levels of DINOv2.
        size: side of the pictures in pixels.
    """

    def __init__(self, layers: tuple[int, ...], size: int) -> None:
        self.size = size
        self.network = load_tower(layers=layers, image_size=size).network
        self.network.set_precision(torch.bfloat16)
        self.tower, self.detail = detail_of_mini()

    @torch.inference_mode()
    def __call__(self, pixels: Pixels) -> tuple[Tensor, list[Tensor]]:
        """Tokens (N, L, D) of a picture, and (L', E / 2) of the second tower at each size."""
        preprocessing = self.network.preprocessing
        image = preprocess(pixels, self.size, preprocessing)[None]
        tokens = torch.cat(self.network.levels(image).tokens).float()
        return tokens, [part[0] for part in self.detail.tokens(self.tower, image, preprocessing)]


class Cache:
    """The pairs of some shards; pair n is the pictures 2 n and 2 n + 1.

    Args:
        shards: their folders.
        in_memory: read everything at once, 6.5 MB a pair at 448 pixels.
    """

    def __init__(self, shards: Sequence[Path], *, in_memory: bool = False) -> None:
        mode = None if in_memory else "r"
        self._shards = [
            {part: np.load(shard / f"{part}.npy", mmap_mode=mode) for part in _PARTS}
            for shard in shards
        ]
        self._ends = np.cumsum([len(shard["covered"]) // 2 for shard in self._shards])
        self.grid = round(self._shards[0]["covered"].shape[1] ** 0.5)

    def __len__(self) -> int:
        return int(self._ends[-1])

    def read(self, numbers: Sequence[int]) -> Cached:
        """The pictures of pairs."""
        whole = (0, 0)
        return _joined([self._read(*self._place(number), whole, self.grid) for number in numbers])

    def windows(self, numbers: Sequence[int], side: int, rng: np.random.Generator) -> Cached:
        """A window of each pair, the same in both pictures, which often shows the defect.

        Args:
            numbers: of the pairs.
            side: of the windows in patches.
            rng: chooses the windows.
        """
        places = [self._place(number) for number in numbers]
        return _joined(
            [self._read(*place, self._corner(*place, side, rng), side) for place in places]
        )

    def _place(self, number: int) -> tuple[int, int]:
        """The shard of a pair and the number of its clean picture there."""
        shard = int(np.searchsorted(self._ends, number, side="right"))
        return shard, 2 * (number - int(self._ends[shard - 1] if shard else 0))

    def _corner(self, shard: int, row: int, side: int, rng: np.random.Generator) -> tuple[int, int]:
        """Row and column of the upper left patch of a window."""
        largest = self.grid - side
        covered = self._shards[shard]["covered"][row + 1].astype(np.float32)
        shown = np.flatnonzero(covered >= min(_SHOWN, 0.9 * float(covered.max())))
        if covered.max() == 0 or rng.random() >= _SHOWN_SHARE:
            top, left = rng.integers(largest + 1, size=2)
        else:
            patch = divmod(int(rng.choice(shown)), self.grid)
            top, left = (np.clip(at - rng.integers(side), 0, largest) for at in patch)
        return int(top), int(left)

    def _read(self, shard: int, row: int, corner: tuple[int, int], side: int) -> Cached:
        """A window of the pictures `row` and `row + 1` of a shard."""
        top, left = corner
        window = slice(top, top + side), slice(left, left + side)

        def cut(values: NDArray[np.float16], patches: int) -> Tensor:
            """The patches in the window; `patches` is the dimension L."""
            before, after = values.shape[:patches], values.shape[patches + 1 :]
            grid = values.reshape(*before, self.grid, self.grid, *after)
            part = grid[(slice(None),) * patches + window]
            return torch.from_numpy(np.array(part).reshape(*before, side * side, *after))

        found = {name: values[row : row + 2] for name, values in self._shards[shard].items()}
        detail = [
            on_grid(torch.from_numpy(np.array(found[name])), self.grid).numpy() for name in _DETAIL
        ]
        return Cached(
            cut(found["tokens"], 2).bfloat16(),
            cut(found["distances"], 2).float(),
            torch.cat([cut(part, 1) for part in detail], dim=-1).bfloat16(),
            cut(found["covered"], 1).float(),
        )


def _joined(parts: Sequence[Cached]) -> Cached:
    return Cached(*(torch.cat([getattr(part, f.name) for part in parts]) for f in fields(Cached)))


def write_cache(
    folder: Path, pairs: Pairs, sources: Photographs, layers: tuple[int, ...], workers: int
) -> list[Path]:
    """Compute what is missing of a cache; returns its shards.

    Args:
        folder: of the cache; the statistics of its first pairs serve all that it will hold.
        pairs: wanted.
        sources: photographs to plant defects into.
        layers: levels of DINOv2.
        workers: number of processes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    measured = statistics(folder, pairs, sources, layers)
    jobs = []
    for start in range(0, pairs.count, _SHARD):
        count = min(_SHARD, pairs.count - start)
        part = replace(pairs, first=pairs.first + start, count=count)
        levels = "+".join(map(str, layers))
        jobs.append((part, folder / f"{part.seed}-{part.first}-{part.size}-{levels}"))
    missing = [job for job in jobs if not job[1].exists()]
    work = partial(_write_shard, layers=layers, measured=measured)
    if workers == 1:
        _keep(sources)
        for job in missing:
            work(job)
    elif missing:
        # A forked process would hang on the thread pools that torch and OpenCV have created here.
        with ProcessPoolExecutor(
            workers, mp_context=get_context("spawn"), initializer=_prepare, initargs=(sources,)
        ) as pool:
            list(pool.map(work, missing))
    return [shard for _, shard in jobs]


def statistics(
    folder: Path, pairs: Pairs, sources: Photographs, layers: tuple[int, ...]
) -> Statistics:
    """Mean and deviation (N, D) of the tokens of each level over clean pictures, kept on disk.

    Args:
        folder: of the cache.
        pairs: the first ones are measured.
        sources: photographs to plant defects into.
        layers: levels of DINOv2.
    """
    path = folder / f"statistics-{pairs.size}-{'+'.join(map(str, layers))}.pt"
    if not path.exists():
        towers = Towers(layers, pairs.size)
        tokens = []
        for number in range(min(_MEASURED, pairs.count)):
            pair = _make(pairs, pairs.first + number, sources)
            tokens.append(towers(pair.clean)[0][:, ::_EVERY])
        rows = torch.cat(tokens, dim=1)
        write_torch_file(path, {"mean": rows.mean(dim=1), "deviation": rows.std(dim=1)})
    content = torch.load(path, weights_only=True)
    return content["mean"], content["deviation"]


def detail_statistics(cache: Cache) -> Statistics:
    """Mean and deviation (E,) of the second tower's tokens, over some pictures."""
    numbers = range(0, len(cache), max(1, len(cache) // _DETAIL_MEASURED))
    rows = cache.read(numbers).detail.flatten(0, 1).float()
    return rows.mean(dim=0), rows.std(dim=0)


def _make(pairs: Pairs, number: int, sources: Photographs | None) -> Pair:
    return make_pair(pairs.seed, number, pairs.size, sources, pairs.photographs)


# Photographs and towers of a worker process.
_sources: Photographs | None = None


def _keep(sources: Photographs | None) -> None:
    global _sources
    _sources = sources


def _prepare(sources: Photographs | None) -> None:
    """Prepare a worker process: one thread, and the photographs, which are sent to it once."""
    _keep(sources)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


@torch.inference_mode()
def _write_shard(job: tuple[Pairs, Path], layers: tuple[int, ...], measured: Statistics) -> None:
    pairs, folder = job
    towers = Towers(layers, pairs.size)
    grid = pairs.size // towers.network.backbone.architecture.patch_size
    mean, deviation = (part[:, None] for part in measured)
    parts: dict[str, list[Tensor]] = {part: [] for part in _PARTS}
    for index in range(pairs.count):
        pair = _make(pairs, pairs.first + index, _sources)
        mask = torch.from_numpy(pair.mask)[None, None]
        covered = F.adaptive_avg_pool2d(mask, grid).flatten()
        for pixels, share in ((pair.clean, 0 * covered), (pair.defective, covered)):
            tokens, detail = towers(pixels)
            distances = self_distances((tokens - mean) / deviation)
            rows = (tokens, distances, *detail, share)
            for name, row in zip(_PARTS, rows, strict=True):
                parts[name].append(row.half())
    unfinished = folder.with_suffix(".partial")
    unfinished.mkdir(exist_ok=True)
    for name, rows in parts.items():
        np.save(unfinished / f"{name}.npy", torch.stack(rows).numpy())
    unfinished.rename(folder)
