"""Time from a complete picture to its event, without its inspection, in a folder with old files.

    nice python benchmarks/watch_latency.py --old 100000

Another process writes pictures at random moments. What a picture waits for besides its own
inspection: being noticed twice, the row on the disk, and the overlay.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from moeclip_cli import Inspector
from moeclip_cli.runs.folder import RunFolder
from moeclip_cli.runs.score_run import Outputs
from moeclip_cli.runs.stream import Pace
from moeclip_cli.watch.actions import Actions
from moeclip_cli.watch.run import WATCH, Control, Watched, run_watch
from moeclip_cli.watch.watcher import Timing

PICTURE = Path(__file__).parents[1] / "examples/images/brick/good_01.jpg"
_WRITE = """
import random, sys, time
from pathlib import Path
content = Path(sys.argv[1]).read_bytes()
chance = random.Random(0)
for number in range(int(sys.argv[3])):
    time.sleep(chance.uniform(1.5, 2.5))
    Path(sys.argv[2], f"new{number}.jpg").write_bytes(content)
    print(number, time.time(), flush=True)
"""


class Timed:
    """An inspector that notes how long it takes."""

    def __init__(self, inspector: Inspector) -> None:
        self._inspector, self.seconds = inspector, {}

    def __getattr__(self, name):
        return getattr(self._inspector, name)

    def score(self, images, **options):
        """Score one batch at once."""
        started = time.perf_counter()
        results = list(self._inspector.score(images, **options))
        for result in results:
            self.seconds[Path(result.path).stem] = time.perf_counter() - started
        return iter(results)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--old", type=int, default=0, help="files that are there at the start")
    parser.add_argument("--new", type=int, default=20)
    options = parser.parse_args()
    inspector = Timed(Inspector.load(device="cpu"))
    list(inspector.score([PICTURE]))
    with tempfile.TemporaryDirectory() as folder:
        root, out = Path(folder, "in"), Path(folder, "out")
        root.mkdir()
        for number in range(options.old):
            (root / f"old{number}.jpg").touch()
        report(*watch(inspector, root, out, options.new), inspector)


def watch(inspector, root: Path, out: Path, count: int):
    """Watch until all new pictures are inspected: their times, and the memory of the old ones."""
    events, memory = {}, {}
    processes = []

    def started(number: int) -> None:
        memory["MB for old files"] = _peak() - before
        command = [sys.executable, "-c", _WRITE, PICTURE, root, str(count)]
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))

    def tell(event) -> None:
        events[Path(event["path"]).stem] = time.time()

    before = _peak()

    def wait(seconds: float) -> bool:
        time.sleep(seconds)
        return len(events) == count

    control = Control(Timing(), wait, started)
    folder = RunFolder.claim(out, WATCH, {WATCH.setting: str(root)}, {})
    actions = Actions(print, tell)
    outputs = Outputs(heatmaps="auto")
    run_watch(
        inspector, Watched(root, only_new=True), lambda path: "brick", folder, outputs, Pace(4, 1),
        actions, control,
    )  # fmt: skip
    written = dict(line.split() for line in processes[0].communicate()[0].splitlines())
    return {f"new{number}": float(moment) for number, moment in written.items()}, events, memory


def report(written, events, memory, inspector) -> None:
    """Print what pictures waited for."""
    seconds = inspector.seconds
    waits = [events[name] - written[name] - seconds[name] for name in written]
    print(
        json.dumps(
            {
                "pictures": len(waits),
                "inspection, median s": round(statistics.median(seconds.values()), 3),
                "rest, median s": round(statistics.median(waits), 3),
                "rest, longest s": round(max(waits), 3),
                **{name: round(value) for name, value in memory.items()},
            }
        )
    )


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


if __name__ == "__main__":
    main()
