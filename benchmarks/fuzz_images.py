"""Decode damaged image files and count what comes of them.

    nice python benchmarks/fuzz_images.py --mutants 100000

Every mutant has to give pixels or an `ImageError`, print nothing and stay within the time limit.
Anything else is reported with the number of the mutant, saved to --keep, and fails the run.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.image_mutants import mutants

from moeclip_cli.errors import ImageError
from moeclip_cli.images.decode import decode

MAX_PIXELS = 4_000_000


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mutants", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=20, help="limit for one image")
    parser.add_argument("--keep", type=Path, default=Path("failed-mutants"))
    options = parser.parse_args()
    started = time.perf_counter()
    outcomes: Counter[str] = Counter()
    slowest = (0.0, "")
    with tempfile.TemporaryDirectory() as folder, _captured_stderr(folder) as printed:
        path = Path(folder) / "mutant"
        for number, (name, data) in enumerate(islice(mutants(options.seed), options.mutants)):
            path.write_bytes(data)
            before = time.perf_counter()
            outcome = _outcome(path, options.seconds)
            slowest = max(slowest, (time.perf_counter() - before, f"{number} ({name})"))
            if printed.seek(0, 2):
                printed.truncate(0)
                outcome = "printed to stderr"
            outcomes[outcome] += 1
            if outcome not in ("pixels", "ImageError"):
                options.keep.mkdir(exist_ok=True)
                (options.keep / f"{number}-{name}").write_bytes(data)
                print(f"mutant {number} ({name}): {outcome}", flush=True)
    print(f"{options.mutants:,} mutants, seed {options.seed}: {dict(outcomes.most_common())}")
    print(f"{time.perf_counter() - started:.0f} s; slowest: {slowest[0]:.2f} s, {slowest[1]}")
    sys.exit(bool(set(outcomes) - {"pixels", "ImageError"}))


def _outcome(path: Path, seconds: float) -> str:
    try:
        pixels = decode(path, max_pixels=MAX_PIXELS, decode_seconds=seconds).pixels
    except ImageError as error:
        return "time limit" if "took longer" in str(error) else "ImageError"
    except Exception as error:  # noqa: BLE001 - any other error is a finding
        return repr(error)
    valid = pixels.dtype == "uint8" and pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.size
    return "pixels" if valid else f"invalid pixels {pixels.dtype} {pixels.shape}"


class _captured_stderr:  # noqa: N801 - a context manager
    """Redirect everything that this process writes to standard error, libraries included."""

    def __init__(self, folder: str) -> None:
        self._stream = open(Path(folder) / "stderr", "w+b", buffering=0)  # noqa: PTH123, SIM115

    def __enter__(self):
        self._saved = os.dup(2)
        os.dup2(self._stream.fileno(), 2)
        return self._stream

    def __exit__(self, *error) -> None:
        os.dup2(self._saved, 2)
        self._stream.close()


if __name__ == "__main__":
    main()
