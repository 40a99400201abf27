"""Peak memory of comparing images with many references.

    python benchmarks/reference_memory.py --references 500

Builds the bank of as many references at 448 pixels, of which all patches are kept, and compares one
image with it. The tower sees only the image: patches of references are random numbers of the same
type and shape, since that does not change the memory and saves most of the time.
"""

from __future__ import annotations

import argparse
import resource
import sys
from collections.abc import Iterator

import torch

from moeclip_cli.checkpoints.loading import load_tower
from moeclip_cli.inspection.building import Part, patches_of
from moeclip_cli.model.frozen_tower import FrozenTower
from moeclip_cli.model.levels import Levels


class RandomPatches(FrozenTower):
    """A tower that does not look at images."""

    def levels(self, images: torch.Tensor) -> Levels:
        rows, columns = (side // 14 for side in images.shape[-2:])
        shape = (len(images), rows * columns, self.backbone.architecture.vision_width)
        return Levels([torch.randn(shape) for _ in self.config.layers], (), (rows, columns))


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--references", type=int, default=500)
    parser.add_argument("--size", type=int, default=448, help="network input size in pixels")
    options = parser.parse_args()
    network = load_tower(image_size=options.size).network
    image = torch.randn(1, 3, options.size, options.size)
    blind = RandomPatches(network.config, network.backbone)
    print(f"tower loaded: {peak():.0f} MiB peak")
    found = patches_of(blind, parts(options.references, image[0]), torch.device("cpu"), 1, None)
    print(f"{options.references} references, bank built: {peak():.0f} MiB peak", flush=True)
    bank = found.references.bank
    bank.distances(network.levels(image).tokens, torch.tensor([0]))
    size = sum(level.numel() * level.element_size() for level in bank.levels) / 2**20
    print(f"one image compared: {peak():.0f} MiB peak, {size:.0f} MiB of it the bank")


def parts(count: int, image: torch.Tensor) -> Iterator[Part]:
    for number in range(count):
        yield Part(str(number), (image,), str(number))


def peak() -> float:
    """The highest resident memory of this process so far in MiB."""
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale / 2**20


if __name__ == "__main__":
    main()
