"""Images a second of a whole benchmark beside those of the bare network on the same images.

    python benchmarks/benchmark_speed.py --images 64
    python benchmarks/benchmark_speed.py --backbone ViT-L-14-336 --images 8

A category of generated images with masks is written to a temporary folder and evaluated as
`moeclip benchmark` does: decoding, masks, network, regions, metrics, curves, worst mistakes. The
bare network sees the same images, decoded beforehand, in batches of the same size. The two take
turns, so that a machine that slows down slows both. Printed: the median of each, and the median of
the ratios, pair by pair.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import open_clip
import torch
from forward_ratio import random_network
from PIL import Image

from moeclip_cli.checkpoints.checkpoint import write_checkpoint
from moeclip_cli.checkpoints.configuration import BackboneRef, CheckpointConfig
from moeclip_cli.checkpoints.safetensors_file import write_safetensors
from moeclip_cli.datasets.synthetic import generate
from moeclip_cli.evaluation.plan import parts, select_datasets
from moeclip_cli.images.decode import decode
from moeclip_cli.images.preprocess import preprocess
from moeclip_cli.inspection.inspector import Inspector
from moeclip_cli.parallel.cores import choose_workers
from moeclip_cli.parallel.device import default_batch_size, describe_device
from moeclip_cli.runs.benchmark_job import Execution, Task
from moeclip_cli.runs.benchmark_models import BenchmarkedModel
from moeclip_cli.runs.benchmark_run import evaluate
from moeclip_cli.runs.stream import Pace


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="moeclip-mini")
    parser.add_argument("--backbone-weights", type=Path)
    parser.add_argument("--backbone", help="instead: random weights on an open_clip ViT")
    parser.add_argument("--image-size", type=int, help="518 with --backbone")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--images", type=int, default=64, help="half of them anomalous")
    parser.add_argument("--side", type=int, default=512, help="of the image files, in pixels")
    parser.add_argument("--protocol", choices=["paper", "deployed", "both"], default="paper")
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    protocols = ("paper", "deployed") if args.protocol == "both" else (args.protocol,)
    with tempfile.TemporaryDirectory() as folder:
        given = {"backbone_weights": args.backbone_weights, "image_size": args.image_size}
        if args.backbone:
            args.model, given["backbone_weights"] = write_random_model(
                args.backbone, args.image_size or 518, Path(folder)
            )
        model = BenchmarkedModel.load(
            str(args.model),
            device=args.device,
            precision=args.precision,
            **{name: value for name, value in given.items() if value is not None},
        )
        inspector = model.inspectors["industrial"]
        pace = Pace(default_batch_size(inspector.device), choose_workers(None))
        data = write_images(Path(folder) / "parts", args.images // 2, args.side)
        (dataset,) = select_datasets([], [data], None).datasets
        (part,) = parts(dataset, protocols, None)
        pictures = [decode(sample.image).pixels for sample in part.samples]
        decoded = [[preprocess(pixels, size) for pixels in pictures] for size in inspector.sizes]

        def whole(number: int) -> None:
            out = Path(folder) / f"out-{number}"
            evaluate([Task(0, model, part, mask_cut=0)], out, Execution(pace))

        # The first passes take longer.
        bare(inspector, [images[: 2 * pace.batch_size] for images in decoded], pace.batch_size)
        pairs = []
        for number in range(args.runs):
            network = timed(lambda: bare(inspector, decoded, pace.batch_size))
            benchmark = timed(lambda number=number: whole(number))
            pairs.append((len(pictures) / benchmark, len(pictures) / network))
    ours, network = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(one / other for one, other in pairs)
    print(
        f"{model.name}, {describe_device(inspector.device)}, "
        f"{' and '.join(map(str, inspector.sizes))} pixels, "
        f"{len(pictures)} images of {args.side} pixels, batch {pace.batch_size}, {args.protocol}"
    )
    print(f"whole benchmark: {ours:.2f} images/s")
    print(f"bare network:    {network:.2f} images/s")
    print(f"ratio: {ratio:.3f}")


def write_random_model(backbone: str, size: int, folder: Path) -> tuple[Path, Path]:
    """A checkpoint of the paper's configuration and the backbone's file."""
    network = random_network(backbone, size)
    checkpoint, weights = folder / "random.safetensors", folder / "backbone.safetensors"
    config = CheckpointConfig(network.config, BackboneRef(backbone), "industrial")
    write_checkpoint(checkpoint, config, network.adapters.state_dict())
    write_safetensors(weights, open_clip.create_model(backbone).state_dict(), {})
    return checkpoint, weights


def write_images(folder: Path, pairs: int, side: int) -> Path:
    """A folder pair with masks; each defective image differs from its good one by a defect."""
    for name in ("good", "bad", "masks"):
        (folder / name).mkdir(parents=True)
    for index in range(pairs):
        pair = generate(0, index, side)
        pictures = {"good": pair.clean, "bad": pair.defective, "masks": np.uint8(255) * pair.mask}
        for name, pixels in pictures.items():
            Image.fromarray(pixels).save(folder / name / f"{index}.png", compress_level=1)
    return folder


@torch.inference_mode()
def bare(inspector: Inspector, scales: list[list[torch.Tensor]], batch_size: int) -> None:
    """The network's forward passes at every scale, and nothing else."""
    network = inspector.model.network
    text = network.encode_text(["object"])[0]
    for images in scales:
        for start in range(0, len(images), batch_size):
            batch = torch.stack(images[start : start + batch_size]).to(inspector.device)
            network(batch, text)
    if inspector.device.type == "cuda":
        torch.cuda.synchronize(inspector.device)


def timed(call) -> float:
    """Seconds that one call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
