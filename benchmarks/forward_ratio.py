"""Cost of MoECLIP's whole forward pass beside open_clip's own `visual` forward, in one run.

    python benchmarks/forward_ratio.py --size 518 --runs 5

Both see the same ViT-L/14 with random weights, the same image and the same number of threads, in
turn, so that a machine that slows down slows both. Printed: the median time of each and the median
of the ratios, pair by pair (below 1: the whole of MoECLIP, experts, aggregation and scores
included, costs less than the bare tower does in open_clip).
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import open_clip
import torch

from moeclip_cli.inspection.scoring import score
from moeclip_cli.model.adapters import Adapters
from moeclip_cli.model.architecture import named_architecture
from moeclip_cli.model.backbone import build_backbone
from moeclip_cli.model.config import NetworkConfig, quarter_depths
from moeclip_cli.model.moeclip import MoECLIP


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", default="ViT-L-14-336")
    parser.add_argument("--size", type=int, default=518)
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--runs", type=int, default=5)
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

        timed(ours, device), timed(open_clips, device)  # warm up
        pairs = [(timed(ours, device), timed(open_clips, device)) for _ in range(args.runs)]

    ours_s, theirs_s = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    print(f"torch {torch.__version__}, open_clip {open_clip.__version__}, {device}, "
          f"{torch.get_num_threads()} threads, {args.precision}, {args.size} px, "
          f"batch {args.batch_size}")  # fmt: skip
    print(f"MoECLIP, whole forward and scores: {ours_s:.3f} s")
    print(f"open_clip, visual forward alone:   {theirs_s:.3f} s")
    print(f"ratio: {ratio:.3f}")


def random_network(backbone: str, size: int) -> MoECLIP:
    """A MoECLIP of the paper's configuration on `backbone` with random weights."""
    torch.manual_seed(0)
    architecture = named_architecture(backbone)
    state = open_clip.create_model(backbone).state_dict()
    tower = build_backbone(architecture, state, quick_gelu=False)
    config = NetworkConfig(layers=quarter_depths(tower.blocks), image_size=size)
    adapters = Adapters(config, tower.vision_width, tower.text_width, tower.joint_dim)
    for adapter in adapters.moe:
        torch.nn.init.normal_(adapter.lora_b, std=0.02)
    return MoECLIP(config, tower, adapters).eval()


def timed(call: Callable[[], None], device: torch.device) -> float:
    """Seconds that one call takes."""
    synchronise = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    synchronise()
    start = time.perf_counter()
    call()
    synchronise()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
