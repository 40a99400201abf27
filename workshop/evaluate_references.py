"""Measure scoring with references on real solar cells, textile and parts of photographs.

    pip install conformal-clip-data elpv-dataset scikit-image
    python workshop/evaluate_references.py --cache evaluated

Each set has good and defective test images and a pool of other good images, from which references
are drawn. The table has, for each number of references, the mean image AUROC over the draws with
the 2.5th and 97.5th percentile, and the mean rate of false alarms at the threshold of the
references for 5 %, next to the rate that so many references promise and to the image AUROC of the
built-in model without references. Nothing is trained or chosen on these images. What is computed is
kept in the folder and not computed again.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from evaluation_sets import solar, textile
from mini_scores import Pixels
from mini_scores import Scores as Labelled
from numpy.typing import NDArray
from planted_photos import crops
from reference_distances import left_out_scores, nearest, scores, tokens_of

from moeclip_cli import Inspector
from moeclip_cli.checkpoints.loading import DEFAULT_MODEL, TOWER_LAYERS, load_tower
from moeclip_cli.choices import FALSE_ALARMS
from moeclip_cli.inspection.conformal import attainable_rate, conformal_threshold
from moeclip_cli.model.bank import COMPARED_PATCHES, thinned

T = TypeVar("T")


@dataclass(frozen=True)
class Product:
    """Images of one product."""

    name: str
    good: list[Pixels]
    defective: list[Pixels]
    pool: list[Pixels]


@dataclass(frozen=True)
class Measured:
    """Distances of one product, see `reference_distances`, and scores without references."""

    good: torch.Tensor
    defective: torch.Tensor
    pool: torch.Tensor
    zero_shot: Labelled


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shots", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32])
    parser.add_argument("--draws", type=int, default=10, help="random draws of references")
    parser.add_argument("--limit", type=int, default=120, help="test images of each label")
    parser.add_argument("--pool", type=int, default=40, help="candidates for references")
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--cache", type=Path, required=True, help="folder for intermediate results")
    parser.add_argument("--tokens-only", action="store_true", help="stop before the distances")
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    for name in options.sets:
        found = []
        for product in SETS[name](options.limit, options.pool):
            tokens = cached(options.cache / f"{product.name}-tokens.pt", lambda p=product: seen(p))
            if not options.tokens_only:
                where = options.cache / f"{product.name}-measured.pt"
                found.append(cached(where, lambda p=product, t=tokens: measured(p, t)))
        if found:
            report(name, found, options.shots, options.draws)


def solar_cells(kind: str) -> Callable[[int, int], Iterator[Product]]:
    def products(limit: int, pool: int) -> Iterator[Product]:
        cells = [sample for sample in solar(None) if sample.part == kind]
        good = [sample.pixels for sample in cells if not sample.anomalous]
        defective = [sample.pixels for sample in cells if sample.anomalous]
        yield divided(f"solar-{kind}", good, defective, limit, pool)

    return products


def textiles(limit: int, pool: int) -> Iterator[Product]:
    samples = list(textile(None))
    good = [sample.pixels for sample in samples if not sample.anomalous]
    defective = [sample.pixels for sample in samples if sample.anomalous]
    yield divided("textile", good, defective, limit, pool)


def photographs(limit: int, pool: int) -> Iterator[Product]:
    """Crops of one photograph each; there are few different ones, so less than `limit`."""
    for name, pairs, others in crops(min(limit, 8), min(pool, 8)):
        yield Product(f"photograph-{name}", [p[0] for p in pairs], [p[1] for p in pairs], others)


def divided(
    name: str, good: list[Pixels], defective: list[Pixels], limit: int, pool: int
) -> Product:
    """Images spread over the lists, in which those of one module or roll are neighbours.

    The first images alone would be another population than the pool, and too easy to tell apart.
    """
    chosen = spread(good, limit + pool)
    drawn = set(spread(list(range(len(chosen))), pool))
    tested = [pixels for number, pixels in enumerate(chosen) if number not in drawn]
    return Product(
        name, tested, spread(defective, limit), [chosen[number] for number in sorted(drawn)]
    )


def spread(items: list[T], count: int) -> list[T]:
    """At most `count` items, evenly spaced."""
    numbers = np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int)
    return [items[number] for number in numbers]


def seen(product: Product) -> dict[str, list[torch.Tensor]]:
    network = load_tower(layers=TOWER_LAYERS).network
    return {
        part: tokens_of(network, getattr(product, part)) for part in ("good", "defective", "pool")
    }


def measured(product: Product, tokens: dict[str, list[torch.Tensor]]) -> Measured:
    pool = [
        torch.stack([thinned(level, COMPARED_PATCHES) for level in image])
        for image in tokens["pool"]
    ]
    distances = {
        part: torch.stack([nearest(image, pool) for image in images])
        for part, images in tokens.items()
    }
    built_in = Inspector.load(DEFAULT_MODEL, device="cpu")
    zero_shot = Labelled(
        *(
            np.array([result.score for result in built_in.score(images)])
            for images in (product.good, product.defective)
        )
    )
    return Measured(**distances, zero_shot=zero_shot)


def cached(path: Path, compute: Callable[[], object]) -> object:
    if path.exists():
        return torch.load(path, weights_only=False)
    value = compute()
    torch.save(value, path)
    return value


def report(name: str, products: list[Measured], shots: list[int], draws: int) -> None:
    """Print the rows of a set; products are averaged within a draw."""
    zero_shot = np.mean([product.zero_shot.auroc() for product in products])
    pool = min(product.pool.shape[2] for product in products)
    for count in (count for count in shots if count <= pool):
        results = np.array(
            [
                [
                    drawn(product, count, np.random.default_rng([draw, count]))
                    for product in products
                ]
                for draw in range(draws)
            ]
        ).mean(axis=1)
        print(row(name, count, results, zero_shot), flush=True)


def drawn(product: Measured, count: int, rng: np.random.Generator) -> tuple[float, float, float]:
    """Image AUROC, false alarms at the references' threshold and the promised rate, of a draw."""
    chosen = rng.permutation(product.pool.shape[2])[:count].tolist()
    labelled = Labelled(scores(product.good, chosen), scores(product.defective, chosen))
    auroc = labelled.auroc() or 0.0
    if count == 1:
        return auroc, float("nan"), float("nan")
    rate = attainable_rate(count, FALSE_ALARMS)
    threshold = conformal_threshold(left_out_scores(product.pool, chosen).tolist(), rate)
    return auroc, labelled.rates(threshold)[0], promised_rate(count, rate)


def promised_rate(count: int, rate: float) -> float:
    """What a threshold for `rate` promises: so many of the next `count + 1` good images."""
    return math.floor(rate * (count + 1) + 1e-9) / (count + 1)


def row(name: str, count: int, results: NDArray[np.float64], zero_shot: float) -> str:
    aurocs, alarms, rates = results.T
    low, high = np.percentile(aurocs, [2.5, 97.5])
    promised = "- | -" if count == 1 else f"{alarms.mean():.1%} | {rates.mean():.1%}"
    return (
        f"| {name} | {count} | {aurocs.mean():.3f} | {low:.3f} to {high:.3f} | {promised} "
        f"| {zero_shot:.3f} |"
    )


SETS: dict[str, Callable[[int, int], Iterator[Product]]] = {
    "solar cells, mono": solar_cells("mono"),
    "solar cells, poly": solar_cells("poly"),
    "textile": textiles,
    "parts of photographs": photographs,
}

if __name__ == "__main__":
    main()
