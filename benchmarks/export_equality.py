"""Largest differences between exported graphs and the models that they were made of.

    python benchmarks/export_equality.py
    python benchmarks/export_equality.py --graphs mini-8-bit --generated 20
    python benchmarks/export_equality.py --openvino --graphs mini mini-references

Each graph and its model score the pictures of `examples/images` and generated ones: the built-in
models with and without resizing in the graph, and comparison with good parts as references, where
a reference that is scored itself is among the pictures. A row of the table is one graph. The
script fails if a score or a value of a map differs by more than an export may.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from moeclip_cli import Inspector, OnnxInspector
from moeclip_cli.datasets.synthetic import generate
from moeclip_cli.exports.check import BOUND, Differences, compare
from moeclip_cli.exports.onnx_file import export_onnx
from moeclip_cli.exports.onnx_session import OnnxSession
from moeclip_cli.exports.openvino_file import to_openvino
from moeclip_cli.exports.openvino_session import OpenVinoSession

_EXAMPLES = Path(__file__).parents[1] / "examples" / "images"
_GOOD = [_EXAMPLES / "wood" / "good_01.jpg", _EXAMPLES / "brick" / "good_01.jpg"]
_SEED = 7
_SIDE = 320


def _plain(model: str) -> Inspector:
    return Inspector.load(model, device="cpu", precision="fp32")


def _compared(model: str | None = None) -> Inspector:
    return Inspector.load(model, device="cpu", precision="fp32", references=_GOOD)


# How to load the model, and whether its graph takes 8-bit images.
GRAPHS: dict[str, tuple[Callable[[], Inspector], bool]] = {
    "mini": (lambda: _plain("moeclip-mini"), False),
    "mini-8-bit": (lambda: _plain("moeclip-mini"), True),
    "small": (lambda: _plain("moeclip-small"), False),
    "small-8-bit": (lambda: _plain("moeclip-small"), True),
    "references": (_compared, False),
    "mini-references": (lambda: _compared("moeclip-mini"), False),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--graphs", nargs="+", choices=GRAPHS, default=list(GRAPHS))
    parser.add_argument("--generated", type=int, default=200, help="number of generated pictures")
    parser.add_argument("--openvino", action="store_true", help="run the graphs in OpenVINO")
    args = parser.parse_args()
    files: list[Any] = sorted(_EXAMPLES.rglob("*.*g"))
    pairs = (generate(_SEED, index, _SIDE) for index in range((args.generated + 1) // 2))
    made = [pixels for pair in pairs for pixels in (pair.clean, pair.defective)]
    images = [*files, *made[: args.generated]]
    print("| graph | images | largest difference of a score | of a map | s |")
    print("| --- | --- | --- | --- | --- |", flush=True)
    rows = [measured(name, images, args.openvino) for name in args.graphs]
    if not all(row.images and max(row.score, row.map) <= BOUND for row in rows):
        sys.exit(f"A difference is above {BOUND:g}.")


def measured(name: str, images: list[Any], openvino: bool) -> Differences:
    """Print the row of a graph."""
    load, resizes = GRAPHS[name]
    inspector = load()
    content = export_onnx(inspector, ["object"], resizes=resizes)
    session = OpenVinoSession(to_openvino(content)) if openvino else OnnxSession(content)
    exported = OnnxInspector(session)
    started = time.process_time()
    found = compare(inspector, exported, images, ["object"])
    seconds = time.process_time() - started
    print(
        f"| {name} | {found.images} | {found.score:.1e} | {found.map:.1e} | {seconds:.0f} |",
        flush=True,
    )
    return found


if __name__ == "__main__":
    main()
