"""How close a network comes to what the processor can multiply, in float32 and bfloat16.

    python benchmarks/cpu_limits.py
    python benchmarks/cpu_limits.py --model moeclip-small --threads 2 --operators 8

The limit is the rate of `torch.mm` with the shapes of the tower's linear layers, the best of
several runs. The work of one image is counted by torch's FLOP counter. Printed for each type: the
rate of a core, the time that the work of an image would take at it, the time that the forward pass
and the scores take, and their ratio: 1.00 would be the limit. All times are processor time, which
other work on the machine changes little. With `--operators`, the work of each kind of operator and
the operators that take the most time follow. Products and forward passes take turns.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from moeclip_cli.checkpoints.loading import load_model
from moeclip_cli.model.scoring import score_scales

# The counter of torch 2.14 knows attention on CUDA, but not on a CPU.
_ATTENTION = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def main() -> None:
    args = parse()
    if args.threads:
        torch.set_num_threads(args.threads)
    print(
        f"{args.model}, {cpu_name()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    )
    for name in args.types:
        forward, shape, pixels = network(args.model, _TYPES[name], args.batch_size)
        with FlopCounterMode(
            display=False, custom_mapping={_ATTENTION: attention_flops}
        ) as counter:
            forward()
        work = counter.get_total_flops() / args.batch_size
        product, flops = products(*shape, _TYPES[name])
        times = [(seconds(product), seconds(forward)) for _ in range(args.runs + 1)][1:]
        multiplied, passed = (min(column) for column in zip(*times, strict=True))
        rate, each = flops / multiplied, passed / args.batch_size
        print(
            f"{name} at {pixels} px: limit {rate / 1e9:.0f} GFLOP/s a core; {work / 1e9:.1f} GFLOP "
            f"an image take {1000 * work / rate:.0f} ms at it, the network takes {1000 * each:.0f} "
            f"ms: {each * rate / work:.2f} x the limit"
        )
        if args.operators:
            print_work(counter, args.batch_size)
            print_operators(forward, args.operators)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="moeclip-mini")
    parser.add_argument("--types", nargs="+", choices=list(_TYPES), default=list(_TYPES))
    parser.add_argument("--batch-size", type=int, default=2)
    parser.add_argument("--threads", type=int, help="default: torch's own")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--operators", type=int, default=0)
    return parser.parse_args()


def network(
    model: str, dtype: torch.dtype, batch_size: int
) -> tuple[Callable[[], object], tuple[int, int], str]:
    """A forward pass at all sizes with scores, tokens and width of the tower, and the sizes."""
    loaded = load_model(model)
    net = loaded.network.eval()
    net.set_precision(dtype)
    images = [torch.rand(batch_size, 3, side, side) for side in loaded.config.sizes]
    text = net.encode_text(["object"])[0].detach()
    architecture = net.backbone.architecture
    tokens = (loaded.config.sizes[0] // architecture.patch_size) ** 2

    @torch.inference_mode()
    def forward() -> object:
        size = net.config.image_size
        return score_scales([net(each, text) for each in images], size, "industrial")

    pixels = " and ".join(map(str, loaded.config.sizes))
    return forward, (batch_size * tokens, architecture.vision_width), pixels


def products(rows: int, width: int, dtype: torch.dtype) -> tuple[Callable[[], None], float]:
    """The matrix products of a transformer block, and their FLOPs."""
    shapes = [(width, 3 * width), (width, width), (width, 4 * width), (4 * width, width)]
    pairs = [(torch.rand(rows, a).to(dtype), torch.rand(a, b).to(dtype)) for a, b in shapes]

    def multiply() -> None:
        for one, other in pairs:
            torch.mm(one, other)

    return multiply, sum(2.0 * rows * a * b for a, b in shapes)


def seconds(call: Callable[[], object]) -> float:
    """Processor time of one call, the mean of as many as take a fifth of a second."""
    calls, started = 0, time.process_time()
    while not calls or time.process_time() - started < 0.2:
        call()
        calls += 1
    return (time.process_time() - started) / calls


def attention_flops(
    query: torch.Size, key: torch.Size, value: torch.Size, *_: object, **__: object
) -> int:
    """FLOPs of attention between tensors of these shapes."""
    return int(sdpa_flop_count(query, key, value))


def print_work(counter: FlopCounterMode, images: int) -> None:
    """What the work of an image consists of."""
    counts = counter.get_flop_counts()["Global"]
    for operator, flops in sorted(counts.items(), key=lambda pair: -pair[1]):
        print(f"  {flops / images / 1e9:6.2f} GFLOP in {operator}")


def print_operators(forward: Callable[[], object], most: int) -> None:
    """The operators of one forward pass that take the most time themselves."""
    with profile(activities=[ProfilerActivity.CPU]) as measured:
        forward()
    events = sorted(measured.key_averages(), key=lambda one: -one.self_cpu_time_total)
    total = sum(event.self_cpu_time_total for event in events)
    for event in events[:most]:
        print(f"  {event.self_cpu_time_total / total:6.1%}  {event.count:4} x {event.key}")


def cpu_name() -> str:
    """Name of the processor, and its instructions that multiply matrices in bfloat16."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return "unknown processor"
    found = dict((part.strip() for part in line.split(":", 1)) for line in lines if ":" in line)
    flags = set(found.get("flags", "").split()) & {"avx2", "avx512f", "avx512_bf16", "amx_bf16"}
    return f"{found.get('model name', 'unknown processor')} ({', '.join(sorted(flags))})"


if __name__ == "__main__":
    main()
