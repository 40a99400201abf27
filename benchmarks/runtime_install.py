"""Install `moeclip-runtime` into a new environment; measure its size and the time to a first score.

    moeclip export graphs --with-preprocessing
    python benchmarks/runtime_install.py graphs/moeclip-mini.onnx

The environment is that of `pip install ./runtime`, in a temporary folder. Its size is that of the
installed packages, without pip itself. The start is the time of `moeclip score` with one image,
from call to end of the process; the fastest of some runs counts, as others may share the machine.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
IMAGE = ROOT / "examples/images/brick/good_01.jpg"
# Of every environment, whatever is installed.
_TOOLS = ("pip", "setuptools", "pkg_resources", "_distutils_hack")
_MEGABYTE = 1e6
_SHOWN = 5

# Prints the processor's seconds after each step.
STEPS = """
import sys, time
import numpy, cv2, onnxruntime
print("importing NumPy, OpenCV and ONNX Runtime", time.process_time())
import moeclip_cli.cli.app
from moeclip_cli import OnnxInspector
print("importing moeclip", time.process_time())
inspector = OnnxInspector.load(sys.argv[1])
print("loading the graph", time.process_time())
list(inspector.score(sys.argv[2]))
print("scoring an image", time.process_time())
"""


def main() -> None:
    """Print sizes and times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("graph", type=Path, help="an exported graph")
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    graph = options.graph.resolve()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([f"{folder}/bin/pip", "install", "-q", str(ROOT / "runtime")], check=True)
        print_sizes(next(Path(folder).glob("lib/python*/site-packages")))
        print_start(Path(folder), graph, options.runs)


def print_sizes(packages: Path) -> None:
    """The size of all packages, and the largest ones with the libraries that come with them."""
    sizes: dict[str, int] = {}
    for path in packages.rglob("*"):
        name = path.relative_to(packages).parts[0].partition("-")[0].removesuffix(".libs")
        if name not in _TOOLS and path.is_file():
            name = {"opencv_python_headless": "cv2", "pillow": "PIL"}.get(name, name)
            sizes[name] = sizes.get(name, 0) + path.stat().st_size
    print(f"Packages: {sum(sizes.values()) / _MEGABYTE:.0f} MB")
    for name in sorted(sizes, key=sizes.__getitem__, reverse=True)[:_SHOWN]:
        print(f"  {name}: {sizes[name] / _MEGABYTE:.0f} MB")


def print_start(environment: Path, graph: Path, runs: int) -> None:
    """The time of `moeclip score` with one image, and where it goes."""
    # Not the checkout, if this runs in one that is on the path.
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    scored = [environment / "bin/moeclip", "score", IMAGE, "--model", graph, "-q", "--overwrite"]
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        subprocess.run([*scored, "-o", environment / "out"], check=True, env=clean, cwd=environment)
        seconds.append(time.perf_counter() - started)
    print(f"First score after {min(seconds):.2f} s (fastest of {runs}; slowest {max(seconds):.2f})")
    command = [environment / "bin/python", "-c", STEPS, graph, IMAGE]
    done = subprocess.run(
        command, check=True, env=clean, cwd=environment, capture_output=True, text=True
    )
    before = 0.0
    for line in done.stdout.splitlines():
        step, _, after = line.rpartition(" ")
        print(f"  {step}: {float(after) - before:.2f} s of the processor")
        before = float(after)


if __name__ == "__main__":
    main()
