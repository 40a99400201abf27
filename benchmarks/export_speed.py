"""Time an image in PyTorch and in other runtimes, on the same cores and by turns.

    moeclip export graphs
    OMP_NUM_THREADS=2 python benchmarks/export_speed.py graphs/moeclip-mini.onnx

One turn of a runtime is `score` for two images in memory: resizing, the network, scores, regions.
The runtimes take turns in rounds, so that other programs on the machine slow down all of them
alike; a ratio is the median over the rounds of the time beside that of PyTorch in float32 in the
same round. OpenVINO is measured if it is installed (`pip install ".[openvino]"`), with the same
graph in its own format.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from moeclip_cli import Inspector, OnnxInspector
from moeclip_cli.datasets.synthetic import generate
from moeclip_cli.errors import MissingExtraError
from moeclip_cli.exports.onnx_session import OnnxSession
from moeclip_cli.exports.openvino_file import to_openvino
from moeclip_cli.exports.openvino_session import OpenVinoSession
from moeclip_cli.exports.small_weights import shrink_weights
from moeclip_cli.inspection.result import Result

BASE = "PyTorch, float32"
_IMAGES = 2
_SIDE = 512

Score = Callable[[list[Any]], Iterable[Result]]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("graph", type=Path, help="made without --with-preprocessing")
    parser.add_argument("--model", help="what it was made of: built-in name or checkpoint file")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    pairs = (generate(1, index, _SIDE) for index in range(_IMAGES // 2))
    images = [pixels for pair in pairs for pixels in (pair.clean, pair.defective)]
    scorers = load(options.model, options.graph.read_bytes())
    scores = {name: first_scores(score, images) for name, score in scorers.items()}
    seconds = timed(scorers, images, options.rounds)
    print(f"{torch.get_num_threads()} threads, {options.rounds} rounds\n")
    print("| runtime | ms an image | beside PyTorch in float32 | largest difference of a score |")
    print("| --- | --- | --- | --- |")
    for name, times in seconds.items():
        ratio = statistics.median(np.divide(times, seconds[BASE]))
        apart = np.abs(np.subtract(scores[name], scores[BASE])).max()
        milliseconds = 1000 * statistics.median(times) / _IMAGES
        print(f"| {name} | {milliseconds:.0f} | {ratio:.2f} | {apart:.1g} |")


def load(model: str | None, content: bytes) -> dict[str, Score]:
    """The `score` of each runtime, by its name."""
    inspector = Inspector.load(model, device="cpu", precision="fp32")
    half = Inspector.load(model, device="cpu", precision="bf16")
    found: dict[str, Score] = {BASE: inspector.score, "PyTorch, bfloat16": half.score}
    found["ONNX Runtime, float32"] = OnnxInspector(OnnxSession(content)).score
    small = onnx.load_from_string(content)
    shrink_weights(small, "int8")
    found["ONNX Runtime, int8 weights"] = OnnxInspector(
        OnnxSession(small.SerializeToString())
    ).score
    try:
        found["OpenVINO, float32"] = OnnxInspector(OpenVinoSession(to_openvino(content))).score
    except MissingExtraError as error:
        print(error)
    return found


def first_scores(score: Score, images: list[Any]) -> list[float]:
    """Scores of a first turn, which no time is taken of."""
    return [float(result.score or 0) for result in score(images)]


def timed(scorers: Mapping[str, Score], images: list[Any], rounds: int) -> dict[str, list[float]]:
    """Seconds of each turn of each runtime."""
    seconds: dict[str, list[float]] = {name: [] for name in scorers}
    for _ in range(rounds):
        for name, score in scorers.items():
            started = time.perf_counter()
            list(score(images))
            seconds[name].append(time.perf_counter() - started)
    return seconds


if __name__ == "__main__":
    main()
