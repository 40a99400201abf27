"""Time of MoECLIP's complete forward pass, compared with open_clip's `visual` forward pass.

    python benchmarks/forward_ratio.py --size 518 --runs 5

Both use the same ViT-L/14 with random weights, the same image and the same number of threads. They
are measured in turn, so that a change of the machine's speed affects both. Prints the median time
of each and the median of the ratios of the pairs. A ratio below 1 means that MoECLIP with experts,
aggregation and scores takes less time than the tower alone in open_clip.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import open_clip
import torch

from moeclip_cli.model.adapters import Adapters
from moeclip_cli.model.backbones.clip import named_architecture
from moeclip_cli.model.backbones.table import build_backbone
from moeclip_cli.model.config import (
    PAPER_BACKBONE,
    PAPER_IMAGE_SIZE,
    NetworkConfig,
    quarter_depths,
)
from moeclip_cli.model.moeclip import MoECLIP
from moeclip_cli.model.scoring import score


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", default=PAPER_BACKBONE)
    parser.add_argument(
        "--size", type=int, default=PAPER_IMAGE_SIZE, help="network input size in pixels"
    )
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--runs", type=int, default=5, help="number of measurements")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--precision", choices=["fp32", "bf16", "fp16"], default="fp32")
    args = parser.parse_args()

    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[args.precision]
    device = torch.device(args.device)
    network = random_network(args.backbone, args.size)
    network.set_precision(dtype)
    network.to(device)
    clip = open_clip.create_model(args.backbone, force_image_size=args.size)
    visual = clip.visual.eval().to(device=device, dtype=dtype)
    images = torch.randn(args.batch_size, 3, args.size, args.size, device=device)

    with torch.inference_mode():
        text = network.encode_text(["object"])[0]

        def ours() -> None:
            score(network(images, text), args.size, "industrial")

        def open_clips() -> None:
            visual(images.to(dtype))

        timed(ours, device), timed(open_clips, device)  # warm-up
        pairs = [(timed(ours, device), timed(open_clips, device)) for _ in range(args.runs)]

    ours_s, theirs_s = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    print(f"torch {torch.__version__}, open_clip {open_clip.__version__}, {device}, "
          f"{torch.get_num_threads()} threads, {args.precision}, {args.size} px, "
          f"batch {args.batch_size}")  # fmt: skip
    print(f"MoECLIP, forward pass and scores: {ours_s:.3f} s")
    print(f"open_clip, visual forward pass:   {theirs_s:.3f} s")
    print(f"ratio: {ratio:.3f}")


def random_network(backbone: str, size: int) -> MoECLIP:
    """Return MoECLIP with the paper's configuration and random weights on `backbone`."""
    torch.manual_seed(0)
    architecture = named_architecture(backbone)
    state = open_clip.create_model(backbone).state_dict()
    towers = build_backbone(architecture, state, quick_gelu=False)
    config = NetworkConfig(layers=quarter_depths(architecture.blocks), image_size=size)
    adapters = Adapters(
        config, architecture.vision_width, architecture.text_width, architecture.joint_dim
    )
    for adapter in adapters.moe:
        torch.nn.init.normal_(adapter.lora_b, std=0.02)
    return MoECLIP(config, towers, adapters).eval()


def timed(call: Callable[[], None], device: torch.device) -> float:
    """Return the duration of a call in seconds."""
    synchronise = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    synchronise()
    start = time.perf_counter()
    call()
    synchronise()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
