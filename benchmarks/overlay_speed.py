"""Time to draw and to encode an overlay, beside what was measured for the choice between formats.

    python benchmarks/overlay_speed.py --side 1024

Overlays of generated images with defects, drawn and encoded in turn in one thread. Printed: the
median of the processor time per megapixel of drawing and of each encoder, and the size of the
files.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import cv2
import numpy as np

from moeclip_cli.datasets.synthetic import generate
from moeclip_cli.images.encode import encode_picture
from moeclip_cli.pictures.overlay import render_overlay


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=1024, help="of the images, in pixels")
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    inputs = [(photograph(number, args.side), anomaly_map(number)) for number in range(args.images)]
    overlays = [render_overlay(*each, 0.5, caption="anomalous: 0.871") for each in inputs]
    kinds: dict[str, list[Callable[[], bytes | np.ndarray]]] = {
        "draw": [lambda each=each: render_overlay(*each, 0.5) for each in inputs],
        "PNG": [lambda each=each: encode_picture(each, "png") for each in overlays],
        "PNG, zlib level 1": [lambda each=each: png(each, 1) for each in overlays],
        "PNG, zlib level 3": [lambda each=each: png(each, 3) for each in overlays],
        "JPEG": [lambda each=each: encode_picture(each, "jpeg") for each in overlays],
    }
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(args.runs):
        for kind, calls in kinds.items():
            times[kind] += [seconds(call) for call in calls]
    megapixels = args.side**2 / 1e6
    for kind, calls in kinds.items():
        line = f"{kind:<20}{1000 * statistics.median(times[kind]) / megapixels:8.1f} ms/megapixel"
        if kind != "draw":
            line += f"{np.mean([len(call()) for call in calls]) / 2**20 / megapixels:8.2f} MiB"
        print(line)


def photograph(number: int, side: int) -> np.ndarray:
    """A generated image with a defect, as a camera's JPEG file has it."""
    pixels = np.ascontiguousarray(generate(0, number, side).defective[..., ::-1])
    encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
    return cv2.cvtColor(cv2.imdecode(encoded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def anomaly_map(number: int) -> np.ndarray:
    """A smooth map with values from 0 to 1."""
    noise = np.random.default_rng(number).random((448, 448)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 30)
    return (smooth - smooth.min()) / np.ptp(smooth)


def png(pixels: np.ndarray, level: int) -> bytes:
    """A PNG file at a level of compression, instead of OpenCV's own choice."""
    options = [cv2.IMWRITE_PNG_COMPRESSION, level]
    return bytes(cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)[1])


def seconds(call: Callable[[], object]) -> float:
    """Processor time of one call in this thread."""
    started = time.thread_time()
    call()
    return time.thread_time() - started


if __name__ == "__main__":
    main()
