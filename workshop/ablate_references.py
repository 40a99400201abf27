"""Compare ways of scoring with references, on pictures that serve for choosing only.

    python workshop/ablate_references.py --textures debian --cache ablated

The pictures are those of `one_product.py`, which also says where the textures are from. Each way is
scored on the same images of each product. The table has the mean image AUROC and, against the first
row, the mean difference with its 95% interval over products (bootstrap), for each number of
references: with 1, the mean over four different ones; with 4, over two disjoint choices. What is
computed is kept in the folder and not computed again.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from mini_scores import Pixels, Scores
from numpy.typing import NDArray
from one_product import Images, centred_parts, products
from reference_distances import nearest

from moeclip_cli import Inspector
from moeclip_cli.checkpoints.loading import DEFAULT_MODEL, load_tower
from moeclip_cli.inspection.network_input import network_input
from moeclip_cli.inspection.references import turned
from moeclip_cli.model.bank import image_score, thinned

REFERENCES, ANGLES = 8, 8
# The pictures have 320 pixels, so a larger input shows no more of them.
SIDE, SIDES = 336, (336, 448, 672)
KEPT = (32, 64, 128, 256)
CHOICES = {1: [[0], [1], [2], [3]], 4: [[0, 1, 2, 3], [4, 5, 6, 7]], 8: [list(range(8))]}
LAYERS = (3, 6, 9, 12)
LEVELS = ("3", "6", "9", "12", "6n", "9n", "12n")
"""Levels, with n after the tower's last layer norm."""
VARIANCE = 0.99
RESAMPLES = 4000

Labelled = dict[str, dict[int, list[Scores]]]
"""By way of scoring and number of references, the scores with each choice of them."""


@dataclass(frozen=True)
class Experiment:
    """Ways that share what is computed.

    Attributes:
        compute: the scores of the images of one product.
        products: number of products, spread over all of them.
        centred: the products are single parts on a table.
    """

    compute: Callable[[Images], Labelled]
    products: int = 100
    centred: bool = False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--textures", type=Path, help="folder of unpacked packages")
    parser.add_argument("--cache", type=Path, required=True, help="folder for intermediate results")
    parser.add_argument("--tested", type=int, default=8, help="good and defective images each")
    parser.add_argument("--experiments", nargs="+", default=list(EXPERIMENTS), choices=EXPERIMENTS)
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    made = list(products(REFERENCES, options.tested, options.textures))
    for name in options.experiments:
        experiment = EXPERIMENTS[name]
        if experiment.centred:
            made = list(centred_parts(4, options.tested))
        step = max(1, round(len(made) / experiment.products))
        found = {}
        for number in range(0, len(made), step):
            path = options.cache / f"{name}-{number:02}.pt"
            if not path.exists():
                torch.save(experiment.compute(made[number]), path)
            found[made[number].name] = torch.load(path, weights_only=False)
        report(name, found)


@torch.inference_mode()
def ways(images: Images) -> Labelled:
    """Levels, scores of the patches, shares, numbers of patches, subspaces and fusions."""
    network = load_tower(layers=LAYERS, image_size=SIDE).network

    def levels(pixels: Pixels) -> torch.Tensor:
        tokens = torch.cat(network.levels(network_input(pixels, network)[None]).tokens)
        return F.normalize(torch.cat([tokens, network.backbone.vision.norm(tokens[1:])]), dim=-1)

    references = [levels(pixels) for pixels in images.references]
    tested = [levels(pixels) for pixels in (*images.good, *images.defective)]
    # (N, K, P, L)
    distances = torch.stack([nearest(image, references) for image in tested])
    built_in = Inspector.load(DEFAULT_MODEL, device="cpu")
    zero_shot = np.array([r.score for r in built_in.score([*images.good, *images.defective])])
    stacked = torch.stack(tested, dim=1)
    middle = [LEVELS.index("6"), LEVELS.index("9")]
    fewer = {
        count: [
            torch.stack([thinned(image[level], count) for level in middle]) for image in references
        ]
        for count in KEPT
    }
    near_fewer = {
        count: torch.stack([nearest(image[middle], kept) for image in tested])
        for count, kept in fewer.items()
    }

    def patches(names: Sequence[str], chosen: list[int]) -> torch.Tensor:
        kept = [LEVELS.index(name) for name in names]
        return distances[:, kept][:, :, chosen].amin(dim=2).mean(dim=1)

    def scored(chosen: list[int]) -> Iterator[tuple[str, NDArray[np.float64]]]:
        near = patches(("6", "9"), chosen)
        yield "blocks 6 and 9, nearest patch, top 1%", top(near)
        for names in (("6",), ("9",), ("12",), ("12n",), ("3", "6", "9"), ("6", "9", "12"),
                      ("6n", "9n"), ("6", "9", "12n"), ("3", "6", "9", "12")):  # fmt: skip
            yield f"blocks {'+'.join(names)}", top(patches(names, chosen))
        for share in (0.001, 0.005, 0.02, 0.05):
            name = "maximum" if share == 0.001 else f"top {share:.1%}"
            yield name, top(near, share)
        yield "zero-shot score alone", zero_shot
        yield "mean with the zero-shot score", (top(near) + zero_shot) / 2
        for count, kept in near_fewer.items():
            name = f"{count} of {near.shape[1]} patches of each reference"
            yield name, top(kept[:, :, chosen].amin(dim=2).mean(dim=1))
        rests = [
            residual(stacked[level], torch.cat([references[i][level] for i in chosen]))
            for level in middle
        ]
        rest = torch.stack(rests).mean(dim=0)
        yield "subspace of 99% variance", top(rest)
        yield "mean of nearest patch and subspace", top(near + rest / 2)

    return collected(scored, len(images.good))


@torch.inference_mode()
def masks(images: Images) -> Labelled:
    """Distances everywhere and on the foreground, where the test of the masks passes."""
    network = load_tower(layers=(6, 9, 12), image_size=SIDE).network

    def levels(pixels: Pixels) -> torch.Tensor:
        tokens = torch.cat(network.levels(network_input(pixels, network)[None]).tokens)
        tokens[2] = network.backbone.vision.norm(tokens[2])
        return F.normalize(tokens, dim=-1)

    references = [levels(pixels) for pixels in images.references]
    tested = [levels(pixels) for pixels in (*images.good, *images.defective)]
    distances = torch.stack([nearest(image[:2], [r[:2] for r in references]) for image in tested])
    objects = torch.stack([foreground(image[2]) for image in tested])
    passed = all(passes_masking_test(foreground(image[2])) for image in references)
    print(f"{images.name}: the test of the masks {'passed' if passed else 'failed'}", flush=True)

    def scored(chosen: list[int]) -> Iterator[tuple[str, NDArray[np.float64]]]:
        near = distances[:, :, chosen].amin(dim=2).mean(dim=1)
        yield "whole image", top(near)
        yield "foreground", top(torch.where(objects, near, 0.0) if passed else near)

    return collected(scored, len(images.good), most=4)


@torch.inference_mode()
def rotations(images: Images) -> Labelled:
    """References at one angle and at eight."""
    network = load_tower(image_size=SIDE).network

    def levels(pixels: Pixels) -> torch.Tensor:
        tokens = torch.cat(network.levels(network_input(pixels, network)[None]).tokens)
        return F.normalize(tokens, dim=-1)

    references = [
        levels(turned(pixels, 360 * step / ANGLES))
        for pixels in images.references[:4]
        for step in range(ANGLES)
    ]
    tested = [levels(pixels) for pixels in (*images.good, *images.defective)]
    distances = torch.stack([nearest(image, references) for image in tested])

    def scored(chosen: list[int]) -> Iterator[tuple[str, NDArray[np.float64]]]:
        for count in (1, ANGLES):
            kept = [ANGLES * number + step for number in chosen for step in range(count)]
            yield f"{count} angles", top(distances[:, :, kept].amin(dim=2).mean(dim=1))

    return collected(scored, len(images.good), most=4)


@torch.inference_mode()
def sizes(images: Images) -> Labelled:
    """Network inputs of several sizes."""
    found = {}
    for side in SIDES:
        network = load_tower(image_size=side).network

        def levels(pixels: Pixels, network=network) -> torch.Tensor:
            tokens = torch.cat(network.levels(network_input(pixels, network)[None]).tokens)
            return F.normalize(tokens, dim=-1)

        references = [levels(pixels) for pixels in images.references[:4]]
        tested = (levels(pixels) for pixels in (*images.good, *images.defective))
        found[side] = torch.stack([nearest(image, references) for image in tested])

    def scored(chosen: list[int]) -> Iterator[tuple[str, NDArray[np.float64]]]:
        for side, distances in found.items():
            yield f"{side} pixels", top(distances[:, :, chosen].amin(dim=2).mean(dim=1))

    return collected(scored, len(images.good), most=4)


def collected(
    scored: Callable[[list[int]], Iterator[tuple[str, NDArray[np.float64]]]],
    good: int,
    most: int = REFERENCES,
) -> Labelled:
    found: Labelled = {}
    for count, choices in CHOICES.items():
        for chosen in choices:
            if max(chosen) < most:
                for name, values in scored(chosen):
                    part = found.setdefault(name, {}).setdefault(count, [])
                    part.append(Scores(values[:good], values[good:]))
    return found


def top(patches: torch.Tensor, share: float = 0.01) -> NDArray[np.float64]:
    return image_score(patches, share).double().numpy()


def residual(patches: torch.Tensor, references: torch.Tensor) -> torch.Tensor:
    """Squared distance (N, L) of patches to the subspace that references span (SubspaceAD)."""
    mean = references.mean(dim=0)
    covariance = (references - mean).T @ (references - mean)
    values, vectors = torch.linalg.eigh(covariance.double())
    explained = values.flip(0).cumsum(0) / values.sum()
    rank = int((explained < VARIANCE).sum()) + 1
    basis = vectors.flip(1)[:, :rank].float()
    centred = patches - mean
    return centred.square().sum(dim=-1) - (centred @ basis).square().sum(dim=-1)


def foreground(patches: torch.Tensor) -> torch.Tensor:
    """Patches (L,) of the object by the first principal component (AnomalyDINO).

    Otsu's threshold divides the component. The side that fills more of the centre than of the whole
    image is the object; it is dilated and its holes are closed.
    """
    side = round(len(patches) ** 0.5)
    centred = patches - patches.mean(dim=0)
    vectors = torch.linalg.eigh(centred.T @ centred).eigenvectors
    component = (centred @ vectors[:, -1]).view(side, side).numpy()
    grey = cv2.normalize(component, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    mask = cv2.threshold(grey, 0, 1, cv2.THRESH_OTSU)[1]
    quarter = side // 4
    if mask[quarter:-quarter, quarter:-quarter].mean() < mask.mean():
        mask = 1 - mask
    kernel = np.ones((3, 3), np.uint8)
    mask = cv2.morphologyEx(cv2.dilate(mask, kernel), cv2.MORPH_CLOSE, kernel)
    return torch.from_numpy(mask.astype(bool).flatten())


def passes_masking_test(mask: torch.Tensor) -> bool:
    """True if the mask is that of an object which the border of the image does not touch much."""
    side = round(len(mask) ** 0.5)
    square = mask.view(side, side).numpy()
    border = np.concatenate([square[0], square[-1], square[:, 0], square[:, -1]])
    return bool(0.1 < square.mean() < 0.85 and border.mean() < 0.15)


def report(name: str, found: dict[str, Labelled]) -> None:
    """Print the table of one experiment."""
    first = next(iter(found.values()))
    baseline, counts = next(iter(first)), list(next(iter(first.values())))
    print(f"\n{name}: {len(found)} products\n\n| way |", end="")
    print("".join(f" {count} references | difference |" for count in counts))
    print("|---|" + "---|---|" * len(counts))
    for way in first:
        cells = []
        for count in counts:
            aurocs = np.array([mean_auroc(labelled[way][count]) for labelled in found.values()])
            before = [mean_auroc(labelled[baseline][count]) for labelled in found.values()]
            cells += [f"{aurocs.mean():.3f}", interval(aurocs - np.array(before))]
        print(f"| {way} | {' | '.join(cells)} |")


def mean_auroc(choices: list[Scores]) -> float:
    return float(np.mean([scores.auroc() for scores in choices]))


def interval(differences: NDArray[np.float64]) -> str:
    rng = np.random.default_rng(0)
    means = rng.choice(differences, (RESAMPLES, len(differences))).mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return f"{differences.mean():+.3f} ({low:+.3f} to {high:+.3f})"


EXPERIMENTS = {
    "ways": Experiment(ways),
    "masks": Experiment(masks, centred=True),
    "rotations": Experiment(rotations, products=10),
    "sizes": Experiment(sizes, products=10),
}

if __name__ == "__main__":
    main()
