"""Time and peak memory of a training step, compared with a plain one through open_clip's tower.

    python benchmarks/train_step.py --size 518 --batch-size 2 --steps 3

Both train the same adapters and heads around the same frozen ViT-L/14 with random weights, on the
same images, with Adam. The plain step runs open_clip's own blocks, computes the outputs of all
experts at full width for the ETF loss, the probability maps of both classes at full size for focal
and dice loss, and the text features in every step. Each variant runs in its own process. Prints the
median wall and CPU time per step in seconds, the peak memory in GB (of the process or the GPU) and
the loss of the first step, which must agree, and finally the ratios.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import open_clip
import torch
import torch.nn.functional as F
from torch import Tensor

from moeclip_cli.model.adapters import Adapters
from moeclip_cli.model.aggregation import aggregate
from moeclip_cli.model.backbones.clip import named_architecture
from moeclip_cli.model.backbones.table import build_backbone
from moeclip_cli.model.config import (
    PAPER_BACKBONE,
    PAPER_IMAGE_SIZE,
    NetworkConfig,
    quarter_depths,
)
from moeclip_cli.model.moeclip import MoECLIP
from moeclip_cli.model.prompts import ABNORMAL_STATES, NORMAL_STATES, sentences
from moeclip_cli.model.scoring import LOGIT_SCALE
from moeclip_cli.training.objective import (
    Objective,
    TextReader,
    Weights,
    recompute_activations,
)
from moeclip_cli.training.optimiser import AdapterAdam

VARIANTS = ("ours", "recomputed", "plain")
PROMPTS = ("candle", "cashew nut")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", default=PAPER_BACKBONE)
    parser.add_argument(
        "--size", type=int, default=PAPER_IMAGE_SIZE, help="network input size in pixels"
    )
    parser.add_argument("--batch-size", type=int, default=2)
    parser.add_argument(
        "--steps", type=int, default=3, help="measured steps, after one for warm-up"
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--variants", default=",".join(VARIANTS), help="separated by commas")
    parser.add_argument("--run", choices=VARIANTS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.run:
        print(json.dumps(measure(args)))
        return
    print(f"torch {torch.__version__}, open_clip {open_clip.__version__}, {args.device}, "
          f"{torch.get_num_threads()} threads, {args.precision}, {args.backbone}, {args.size} px, "
          f"batch {args.batch_size}")  # fmt: skip
    results = {}
    for variant in args.variants.split(","):
        command = [sys.executable, __file__, *sys.argv[1:], "--run", variant]
        results[variant] = json.loads(subprocess.check_output(command, text=True))
        shown = ", ".join(f"{name} {value:.4g}" for name, value in results[variant].items())
        print(f"{variant:>10}: {shown}", flush=True)
    if "plain" in results:
        for variant in results.keys() - {"plain"}:
            ratios = {
                n: results[variant][n] / v for n, v in results["plain"].items() if n != "loss"
            }
            shown = ", ".join(f"{name} {value:.3f}" for name, value in ratios.items())
            print(f"{variant} / plain: {shown}")


def measure(args: argparse.Namespace) -> dict[str, float]:
    """Measure one variant; return medians over its steps."""
    device = torch.device(args.device)
    network, clip = networks(args.backbone, args.size, plain=args.run == "plain")
    generator = torch.Generator().manual_seed(0)
    shape = (args.batch_size, 3, args.size, args.size)
    images = torch.randn(shape, generator=generator).to(device)
    masks = (torch.rand(shape[0], *shape[2:], generator=generator) > 0.9).float().to(device)
    labels = torch.arange(args.batch_size, device=device) % 2
    prompts = [PROMPTS[number % 2] for number in range(args.batch_size)]
    dtype = torch.bfloat16 if args.precision == "bf16" else torch.float32
    network.to(device)
    if args.run == "plain":
        clip.to(device)
        adam = torch.optim.Adam(p for p in network.adapters.parameters() if p.requires_grad)

        def loss() -> Tensor:
            return plain_loss(network, clip, images, masks, labels, prompts)
    else:
        network.backbone.vision.to(dtype)
        if args.run == "recomputed":
            recompute_activations(network)
        adam = AdapterAdam(network.adapters, 1e-3, (0.9, 0.999), all_experts_used=True)
        objective, read = Objective(network, Weights(0.01, 0.01)), TextReader(network)

        def loss() -> Tensor:
            return objective(images, masks, labels, read(prompts))[0]

    def step() -> float:
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            value = loss()
        value.backward()
        if isinstance(adam, AdapterAdam):
            adam.share_out_gradients()
        adam.step()
        adam.zero_grad()
        return float(value.detach())

    first = step()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    times = [timed(step) for _ in range(args.steps)]
    wall, cpu = (statistics.median(column) for column in zip(*times, strict=True))
    if device.type == "cuda":
        peak = torch.cuda.max_memory_allocated() / 1e9
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    return {"wall_s": wall, "cpu_s": cpu, "peak_gb": peak, "loss": first}


def timed(call: Callable[[], float]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    call()  # returns a number on the CPU, so it waits for the GPU
    return time.perf_counter() - wall, time.process_time() - cpu


def networks(name: str, size: int, *, plain: bool) -> tuple[MoECLIP, open_clip.CLIP | None]:
    """Return a random network and, with `plain`, open_clip's model with the same weights."""
    torch.manual_seed(0)
    architecture = named_architecture(name)
    clip = open_clip.create_model(name).eval().requires_grad_(False)
    # Both share the memory of the towers; the plain step only uses the adapters of the network.
    backbone = build_backbone(architecture, clip.state_dict(), quick_gelu=False)
    layers = quarter_depths(architecture.blocks)
    config = NetworkConfig(layers=layers, image_size=size, dropout=0.0)
    torch.manual_seed(1)
    adapters = Adapters(
        config, architecture.vision_width, architecture.text_width, architecture.joint_dim
    )
    for adapter in adapters.moe:
        torch.nn.init.normal_(adapter.lora_b, std=0.02)
        torch.nn.init.normal_(adapter.router, std=0.02)
    network = MoECLIP(config, backbone, adapters).train()
    if not plain:
        return network, None
    for block in clip.visual.transformer.resblocks:
        block.mlp.gelu = torch.nn.GELU()
    for block in clip.transformer.resblocks:
        block.mlp.gelu = torch.nn.GELU()
    return network, clip


def plain_loss(
    network: MoECLIP,
    clip: open_clip.CLIP,
    images: Tensor,
    masks: Tensor,
    labels: Tensor,
    prompts: list[str],
) -> Tensor:
    """Return the paper's loss in its plain form."""
    text = plain_text(network, clip, prompts)
    tokens, maps, routings = plain_tokens(network, clip, images), [], []
    for number, block in enumerate(clip.visual.transformer.resblocks, start=1):
        tokens = block(tokens)
        if number in network.config.layers:
            level = network.config.layers.index(number)
            adapter = network.adapters.moe[level]
            tokens, routing = adapter(tokens)
            routings.append((routing, adapter))
            for pooled in aggregate(network.backbone.vision.patches(tokens)):
                maps.append((level, clip.visual.ln_post(pooled)))
    loss = F.cross_entropy((network.adapters.image_head(maps[-3][1])[:, None] @ text)[:, 0], labels)
    for level, pooled in maps:
        loss = loss + plain_map(
            LOGIT_SCALE * (network.adapters.projections[level](pooled) @ text), masks
        )
    for routing, adapter in routings:
        load = routing.probabilities.sum(dim=(0, 1))
        loss = loss + 0.01 * (load.std() / (load.mean() + 1e-6)) ** 2
        outputs = adapter.scale * torch.einsum("btkr,kdr->btkd", routing.low_rank, adapter.lora_b)
        unit = F.normalize(outputs.float(), dim=-1, eps=1e-6)
        gram = unit @ unit.transpose(-1, -2)
        experts = gram.shape[-1]
        frame = torch.full_like(gram[0, 0], -1 / (experts - 1)).fill_diagonal_(1)
        loss = loss + 0.01 * F.mse_loss(gram, frame.expand_as(gram))
    return loss


def plain_text(network: MoECLIP, clip: open_clip.CLIP, prompts: list[str]) -> Tensor:
    columns = []
    for prompt in prompts:
        for states in (NORMAL_STATES, ABNORMAL_STATES):
            tokens = network.backbone.text.tokenize(sentences(states, prompt))
            x = clip.token_embedding(tokens.to(clip.positional_embedding.device))
            x = clip.transformer(x + clip.positional_embedding, attn_mask=clip.attn_mask)
            x = clip.ln_final(x)[torch.arange(len(tokens)), tokens.argmax(dim=-1)]
            columns.append(F.normalize(network.adapters.text_layer(x).mean(dim=0), dim=-1))
    return torch.stack(columns).unflatten(0, (len(prompts), 2)).transpose(1, 2)


def plain_tokens(network: MoECLIP, clip: open_clip.CLIP, images: Tensor) -> Tensor:
    visual = clip.visual
    x = visual.conv1(images).flatten(2).transpose(1, 2)
    cls = visual.class_embedding.expand(len(x), 1, -1)
    grid = round(x.shape[1] ** 0.5)
    tokens: Tensor = visual.ln_pre(
        torch.cat([cls, x], dim=1) + network.backbone.vision.resized_positions(grid, grid)
    )
    return tokens


def plain_map(similarity: Tensor, masks: Tensor) -> Tensor:
    grid = round(similarity.shape[1] ** 0.5)
    planes = similarity.transpose(1, 2).unflatten(-1, (grid, grid)).float()
    planes = F.interpolate(planes, size=masks.shape[-2:], mode="bilinear", align_corners=True)
    probability = planes.softmax(dim=1)
    truth = torch.stack([1 - masks, masks], dim=1)
    p = (truth.clamp(1e-5, 1 - 1e-5) * probability).sum(dim=1) + 1e-5
    loss = (-((1 - p) ** 2) * p.log()).mean()
    for channel in range(2):
        both = (probability[:, channel] * truth[:, channel]).sum(dim=(1, 2))
        sizes = (probability[:, channel] + truth[:, channel]).sum(dim=(1, 2))
        loss = loss + (1 - (2 * both + 1) / (sizes + 1)).mean()
    return loss


if __name__ == "__main__":
    main()
