"""Peak memory of scoring very large images in tiles.

    python benchmarks/tile_memory.py --width 20000 --height 10000 --tile 448
    python benchmarks/tile_memory.py --kind tiles-lzw --region 0,0,2000,2000

Writes a file of that size to a temporary folder and scores it as often as --images says, with the
built-in model on the CPU. --kind is the kind of file, by default a TIFF in one strip without
compression. --region leaves out most of the tiles, which saves time and no memory. Images of more
than 50 megapixels are decoded in a helper process, whose memory is shown apart. On Linux, the
memory of both together is sampled ten times a second; what they share counts once.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

from large_files import KINDS, write

from moeclip_cli import Inspector
from moeclip_cli.images.helper import HELPERS

_EVERY_SECONDS = 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=20_000)
    parser.add_argument("--height", type=int, default=10_000)
    parser.add_argument("--tile", type=int, default=448)
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--kind", choices=KINDS, default="one-strip")
    parser.add_argument("--region")
    options = parser.parse_args()
    inspector = Inspector.load(
        device="cpu", tile=options.tile, region=options.region, decode_seconds=600
    )
    print(f"model loaded: {peak(resource.RUSAGE_SELF):.0f} MiB peak", flush=True)
    sampler = Sampler()
    sampler.start()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large"
        write(path, options.kind, options.width, options.height)
        size = path.stat().st_size / 1e6
        print(f"{options.kind}: file of {size:.0f} MB", flush=True)
        for result in inspector.score([path] * options.images):
            if result.error is not None:
                sys.exit(result.error)
            megapixels = options.width * options.height / 1e6
            print(
                f"{megapixels:.0f} megapixels in {result.tiles} tiles: "
                f"{peak(resource.RUSAGE_SELF):.0f} MiB peak",
                flush=True,
            )
    sampler.stop()
    HELPERS.close()
    print(f"helper process: {peak(resource.RUSAGE_CHILDREN):.0f} MiB peak")
    if sampler.highest:
        print(f"both together: {sampler.highest:.0f} MiB peak")


class Sampler(threading.Thread):
    """Samples the memory of this process and its children together.

    Attributes:
        highest: the most that was seen, in MiB; 0 where it cannot be measured.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.highest = 0.0
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(_EVERY_SECONDS):
            self.highest = max(self.highest, together())

    def stop(self) -> None:
        self._ended.set()
        self.join()


def together() -> float:
    """Memory of this process and its children in MiB, what they share counted once."""
    total = 0
    with suppress(OSError):
        children = " ".join(path.read_text() for path in Path("/proc/self/task").glob("*/children"))
        for number in ("self", *children.split()):
            for line in Path(f"/proc/{number}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
    return total / 1024


def peak(whose: int) -> float:
    """The highest resident memory in MiB, of this process or of the largest that it waited for."""
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(whose).ru_maxrss * scale / 2**20


if __name__ == "__main__":
    main()
