"""Peak memory of scoring very large images in tiles.

    python benchmarks/tile_memory.py --width 20000 --height 10000 --tile 448

Writes an uncompressed TIFF of that size to a temporary folder and scores it as often as --images
says, with the built-in model on the CPU. Images of more than 50 megapixels are decoded in a helper
process, whose memory is shown apart. On Linux, the memory of both together is sampled twice a
second; what they share counts once.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np

from moeclip_cli import Inspector
from moeclip_cli.images.helper import HELPERS

_EVERY_SECONDS = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=20_000)
    parser.add_argument("--height", type=int, default=10_000)
    parser.add_argument("--tile", type=int, default=448)
    parser.add_argument("--images", type=int, default=2)
    options = parser.parse_args()
    inspector = Inspector.load(device="cpu", tile=options.tile, decode_seconds=600)
    print(f"model loaded: {peak(resource.RUSAGE_SELF):.0f} MiB peak", flush=True)
    sampler = Sampler()
    sampler.start()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.tif"
        write(path, options.width, options.height)
        for result in inspector.score([path] * options.images):
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


def write(path: Path, width: int, height: int) -> None:
    """Write a picture of repeated noise, a few rows at a time, so that this takes no memory."""
    rows = np.random.default_rng(0).integers(90, 160, (64, width, 3), dtype=np.uint8)
    with path.open("wb") as stream:
        stream.write(_tiff_header(width, height))
        for top in range(0, height, len(rows)):
            stream.write(rows[: height - top].tobytes())


def _tiff_header(width: int, height: int) -> bytes:
    """The header of an uncompressed RGB TIFF in one strip, whose pixels follow."""
    entries = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 3, 0),  # bits per sample, after the directory
        (259, 3, 1, 1),
        (262, 3, 1, 2),
        (273, 4, 1, 0),  # start of the pixels
        (277, 3, 1, 3),
        (278, 4, 1, height),
        (279, 4, 1, width * height * 3),
    ]
    after = 8 + 2 + 12 * len(entries) + 4
    values = {258: after, 273: after + 6}
    packed = b"".join(
        tag.to_bytes(2, "little") + kind.to_bytes(2, "little") + count.to_bytes(4, "little")
        + values.get(tag, value).to_bytes(4, "little")
        for tag, kind, count, value in entries
    )  # fmt: skip
    head = b"II*\0" + (8).to_bytes(4, "little") + len(entries).to_bytes(2, "little")
    return head + packed + bytes(4) + b"\x08\x00" * 3


def peak(whose: int) -> float:
    """The highest resident memory in MiB, of this process or of the largest that it waited for."""
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(whose).ru_maxrss * scale / 2**20


if __name__ == "__main__":
    main()
