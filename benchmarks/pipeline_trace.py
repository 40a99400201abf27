"""Where the time of `moeclip score` goes: one line for each stage between the file and the table.

    python benchmarks/pipeline_trace.py --images 64 --image-size 448
    python benchmarks/pipeline_trace.py --images 64 --image-size 448 --heatmaps
    python benchmarks/pipeline_trace.py --images 256 --image-size 80 --cores 16

Runs the scoring loop of the command line over JPEG files of 1 megapixel, with a clock around each
stage. Printed for each: milliseconds of processor time per image without those of the stages inside
it, its share of all processor time, the threads that it ran in, and the images per second that it
alone would allow. What runs in the loading or writing threads gets `--cores` cores; what runs in
one thread gets one, which makes it the limit of a machine with a fast GPU. The last lines are the
sums of each kind of thread, and what was reached.

The network gets one thread by default, so that its processor time can be read; on a GPU its line
shows the wall time until the GPU is done. A small `--image-size` shows the limit of the rest.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from moeclip_cli.datasets.synthetic import generate
from moeclip_cli.discovery.source import find_images
from moeclip_cli.images.encode import save_picture
from moeclip_cli.inspection.inspector import Inspector
from moeclip_cli.parallel.cores import available_cores, choose_workers
from moeclip_cli.runs.folder import RunFolder
from moeclip_cli.runs.kinds import SCORE
from moeclip_cli.runs.score_run import Outputs, run_score, score_settings
from moeclip_cli.runs.stream import Pace

_INSPECTION = "moeclip_cli.inspection"
STAGES = {
    "decode": ("moeclip_cli.images.decode._decode_file",),
    "resize": (f"{_INSPECTION}.inspector.resized_inputs",),
    "copy and normalise": (f"{_INSPECTION}.forward.network_batch",),
    "encode prompt": (f"{_INSPECTION}.forward.ForwardPass.__call__",),
    "network": ("moeclip_cli.model.moeclip.MoECLIP.forward",),
    "score maps": (f"{_INSPECTION}.forward.score_scales",),
    "scores to processor": (f"{_INSPECTION}.forward.score_arrays",),
    "results": (f"{_INSPECTION}.grading.Grading.result",),
    "regions": (f"{_INSPECTION}.scored_batch.find_regions",),
    "decode for overlay": (f"{_INSPECTION}.placed.PlacedModel.read_pixels",),
    "draw overlay": ("moeclip_cli.pictures.overlay.render_overlay",),
    "encode overlay": ("moeclip_cli.images.encode.encode_picture",),
    "write overlay": ("moeclip_cli.runs.picture_files.save_picture",),
    "write table": (
        "moeclip_cli.runs.resumption.InputOrder.next_record",
        "moeclip_cli.runs.input_log.InputLog.add",
        "moeclip_cli.reports.tables.base.TextTable.write",
        "moeclip_cli.runs.summary.Summary.add",
    ),
}
_POOLS = {"moeclip-load": "loading", "moeclip-write": "writing"}
_SINGLE = {"moeclip-network": "network"}


class Clock:
    """Processor time of each stage and kind of thread, without that of the stages inside it."""

    def __init__(self, device: torch.device) -> None:
        self.seconds: dict[tuple[str, str], float] = defaultdict(float)
        self._device = device
        self._lock = threading.Lock()
        self._inside = threading.local()

    def timed(self, stage: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """The function with this clock around it."""

        @wraps(work)
        def run(*args: Any, **more: Any) -> Any:
            with self._stage(stage):
                return work(*args, **more)

        return run

    @contextmanager
    def _stage(self, stage: str) -> Iterator[None]:
        outer: list[float] = getattr(self._inside, "spent", [0.0])
        self._inside.spent = inner = [0.0]
        waits = stage == "network" and self._device.type == "cuda"
        now = time.perf_counter if waits else time.thread_time
        started = now()
        try:
            yield
            if waits:
                torch.cuda.synchronize(self._device)
        finally:
            spent = now() - started
            outer[0] += spent
            self._inside.spent = outer
            with self._lock:
                self.seconds[stage, kind_of_thread()] += spent - inner[0]


def kind_of_thread() -> str:
    """The kind of the calling thread: loading, writing, network, or the name of the calling one."""
    name = threading.current_thread().name
    kinds = (_POOLS | _SINGLE).items()
    return next((kind for prefix, kind in kinds if name.startswith(prefix)), name)


def main() -> None:
    args = parse()
    if args.threads:
        torch.set_num_threads(args.threads)
    inspector = Inspector.load(
        args.model, image_size=args.image_size, device=args.device, precision=args.precision
    )
    pace = Pace(args.batch_size or inspector.default_batch_size, choose_workers(args.workers))
    with tempfile.TemporaryDirectory() as root:
        folder = write_images(Path(root) / "images", args.images, args.kinds)
        score_into(Path(root) / "first", inspector, folder, pace, heatmaps=args.heatmaps)
        clock = Clock(inspector.device)
        with ExitStack() as patched:
            for stage, targets in STAGES.items():
                for target in targets:
                    patched.enter_context(patch(target, clock.timed(stage, _found(target))))
            started = time.perf_counter(), time.process_time()
            score_into(Path(root) / "out", inspector, folder, pace, heatmaps=args.heatmaps)
            wall, processor = time.perf_counter() - started[0], time.process_time() - started[1]
    print(
        f"{inspector.model.name} at {' and '.join(map(str, inspector.sizes))} px, "
        f"{inspector.where}, {args.images} images, batches of {pace.batch_size}, "
        f"{pace.workers} workers{', heatmaps' if args.heatmaps else ''}"
    )
    report(clock, args.images, args.cores, wall, processor)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--kinds", type=int, default=8, help="different images; the rest are links")
    parser.add_argument("--model", default="moeclip-mini")
    parser.add_argument("--image-size", type=int)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--heatmaps", action="store_true")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--threads", type=int, default=1, help="of the network; 0 for torch's own")
    parser.add_argument("--cores", type=int, default=available_cores())
    return parser.parse_args()


def write_images(folder: Path, count: int, kinds: int) -> Path:
    """JPEG files of 1 megapixel, every second kind with a defect."""
    kinds = min(kinds, count)
    for number in range(kinds):
        pair = generate(0, number // 2, 1024)
        pixels = pair.defective if number % 2 else pair.clean
        save_picture(folder / f"{number:06}.jpg", pixels, "jpeg")
    for number in range(kinds, count):
        (folder / f"{number:06}.jpg").hardlink_to(folder / f"{number % kinds:06}.jpg")
    return folder


def score_into(
    out: Path, inspector: Inspector, images: Path, pace: Pace, *, heatmaps: bool
) -> None:
    """Score a folder as `moeclip score` does."""
    outputs = Outputs(heatmaps="auto" if heatmaps else None)
    settings = score_settings(inspector, outputs, prompt="object", prompt_rules=None)
    folder = RunFolder.claim(out, SCORE, settings, {}, overwrite=False, resume=False)
    found = find_images([str(images)])
    run_score(inspector, found, lambda path: "object", folder, outputs, pace, lambda result: None)


def report(clock: Clock, images: int, cores: int, wall: float, processor: float) -> None:
    """Print one line for each stage and kind of thread, and the sums of the latter."""
    print(f"{'stage':<22}{'thread':<14}{'ms/image':>9}{'share':>7}{'images/s alone':>16}")
    order = list(STAGES)
    totals: dict[str, float] = defaultdict(float)
    for (stage, kind), seconds in sorted(
        clock.seconds.items(), key=lambda item: order.index(item[0][0])
    ):
        totals[kind] += seconds
        _line(stage, kind, seconds, images, cores, processor)
    for kind, seconds in totals.items():
        _line("all of these", kind, seconds, images, cores, processor)
    rest = processor - sum(totals.values())
    print(f"{'rest':<36}{1000 * rest / images:9.2f}{rest / processor:7.1%}")
    print(
        f"processor time {1000 * processor / images:.1f} ms an image; reached "
        f"{images / wall:.1f} images/s with {processor / wall:.2f} of {available_cores()} cores"
    )


def _line(stage: str, kind: str, seconds: float, images: int, cores: int, processor: float) -> None:
    alone = (cores if kind in _POOLS.values() else 1) * images / max(seconds, 1e-9)
    each, share = 1000 * seconds / images, seconds / processor
    print(f"{stage:<22}{kind:<14}{each:9.2f}{share:7.1%}{alone:16.0f}")


def _found(target: str) -> Any:
    """What a dotted path names."""
    import pkgutil

    return pkgutil.resolve_name(target)


if __name__ == "__main__":
    main()
