"""Time that the built-in model's own layers save on a CPU, compared with those of torch.

    python benchmarks/stem_speed.py

Measures the forward pass as it is, with `torch.nn.InstanceNorm2d` in the stem, with nearest patches
found by `torch.topk`, and with both, in turn in one process. Prints the median time per image, its
ratio to that of the first variant, and the difference of the scores, which is due to rounding.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import time
from collections.abc import Iterator
from unittest import mock

import torch
from torch import Tensor, nn

from moeclip_cli import Inspector
from moeclip_cli.model.backbones import rarity, stem
from moeclip_cli.model.moeclip import MoECLIP
from moeclip_cli.model.scoring import score


@contextlib.contextmanager
def torch_norm() -> Iterator[None]:
    def forward(self: stem.InstanceNorm, x: Tensor) -> Tensor:
        return nn.functional.instance_norm(x, weight=self.weight, bias=self.bias)

    with mock.patch.object(stem.InstanceNorm, "forward", forward):
        yield


@contextlib.contextmanager
def torch_topk() -> Iterator[None]:
    def largest(values: Tensor, count: int) -> Tensor:
        return values.topk(count, dim=-1, sorted=False).values

    with mock.patch.object(rarity, "_largest", largest):
        yield


@contextlib.contextmanager
def both() -> Iterator[None]:
    with torch_norm(), torch_topk():
        yield


VARIANTS = {
    "unchanged": contextlib.nullcontext,
    "InstanceNorm2d": torch_norm,
    "topk": torch_topk,
    "both": both,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=448, help="network input size in pixels")
    parser.add_argument("--batch-size", type=int, default=2)
    parser.add_argument("--runs", type=int, default=11, help="number of measurements")
    args = parser.parse_args()
    network = Inspector.load(device="cpu").model.network
    text = network.encode_text(["object"])[0]
    torch.manual_seed(0)
    images = torch.randn(args.batch_size, 3, args.size, args.size)
    times: dict[str, list[float]] = {name: [] for name in VARIANTS}
    scores: dict[str, Tensor] = {}
    for run in range(args.runs + 1):
        for name, variant in VARIANTS.items():
            with variant():
                start = time.perf_counter()
                scores[name] = forward(network, images, text)
                if run > 0:  # the first run is a warm-up
                    times[name].append(time.perf_counter() - start)
    first = next(iter(VARIANTS))
    for name, seconds in times.items():
        ratio = statistics.median(a / b for a, b in zip(seconds, times[first], strict=True))
        each = 1000 * statistics.median(seconds) / args.batch_size
        off = float((scores[name] - scores[first]).abs().max())
        print(f"{name:15} {each:6.1f} ms per image, {ratio:.2f}; scores within {off:.0e}")


@torch.inference_mode()
def forward(network: MoECLIP, images: Tensor, text: Tensor) -> Tensor:
    return score(network(images, text), images.shape[-1], "industrial").score


if __name__ == "__main__":
    main()
