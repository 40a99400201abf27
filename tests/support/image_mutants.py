"""Small sample files in every supported format, and damaged copies of them."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from itertools import count

import cv2
import numpy as np
from PIL import Image

from support.raw_images import encode_png16, encode_tiff
from support.samples import colour_picture


def sample_files() -> dict[str, bytes]:
    """Sample files by a name that says what is special about each."""
    noise = colour_picture(20, 30)
    grey, deep = noise[..., 0], noise.astype(np.uint16) * 99
    rgb = Image.fromarray(noise)
    rgba = Image.fromarray(np.dstack([noise, grey]))
    frames = [Image.fromarray(colour_picture(20, 30, seed)) for seed in range(3)]
    pages = {"save_all": True, "append_images": frames[1:]}
    numbers = " ".join(map(str, deep.ravel())).encode()
    samples = {
        "png": _saved(rgb, "PNG"),
        "png-alpha": _saved(rgba, "PNG"),
        "png-palette": _saved(rgb.quantize(20), "PNG", transparency=3),
        "png-frames": _saved(frames[0], "PNG", **pages),
        "png-16": encode_png16(deep),
        "jpeg": _saved(rgb, "JPEG"),
        "jpeg-progressive": _saved(rgb, "JPEG", progressive=True),
        "jpeg-cmyk": _saved(rgb.convert("CMYK"), "JPEG"),
        "bmp": _saved(rgb, "BMP"),
        "bmp-rle": run_length_bmp(30, 20),
        "gif": _saved(rgb, "GIF"),
        "gif-frames": _saved(frames[0], "GIF", **pages),
        "webp": _saved(rgb, "WEBP"),
        "webp-lossless": _saved(rgba, "WEBP", lossless=True),
        "webp-frames": _saved(frames[0], "WEBP", **pages),
        "ppm": _saved(rgb, "PPM"),
        "ppm-16": b"P6 30 20 65535\n" + deep.astype(">u2").tobytes(),
        "ppm-plain": b"P3 30 20 255\n" + " ".join(map(str, noise.ravel())).encode(),
        "ppm-plain-16": b"P3 30 20 65535\n" + numbers,
        "tiff": _saved(rgb, "TIFF"),
        "tiff-pages": _saved(frames[0], "TIFF", **pages),
        "tiff-16": encode_tiff(deep),
        "tiff-float": encode_tiff(grey.astype("f4")),
        "tiff-16-lzw": bytes(cv2.imencode(".tif", deep)[1]),
    }
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"):
        samples[f"tiff-{compression}"] = _saved(rgb, "TIFF", compression=compression)
    samples["tiff-group4"] = _saved(rgb.convert("1"), "TIFF", compression="group4")
    return samples


def mutants(seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield damaged copies of the samples without end: the name of the sample and the file."""
    rng = random.Random(seed)
    samples = list(sample_files().items())
    for number in count():
        name, original = samples[number % len(samples)]
        yield name, damaged(original, rng)


def damaged(original: bytes, rng: random.Random) -> bytes:
    """Cut a file, replace some bytes, or remove or repeat a part of it."""
    data = bytearray(original)
    kind = rng.random()
    start = rng.randrange(len(data))
    part = slice(start, start + rng.randrange(1, 40))
    if kind < 0.2:
        del data[start:]
    elif kind < 0.3:
        del data[part]
    elif kind < 0.4:
        data[start:start] = data[part] * rng.choice((1, 50))
    else:
        for _ in range(rng.choice((1, 4, 30))):
            reach = min(len(data), rng.choice((40, 400, 10**6)))
            data[rng.randrange(reach)] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
    return bytes(data)


def run_length_bmp(width: int, height: int) -> bytes:
    """An 8-bit BMP that is compressed by run lengths, with one colour per row.

    Its size grows with the height and the width / 250.
    """
    palette = b"".join(bytes([value, value, value, 0]) for value in range(256))
    runs = [250] * (width // 250) + [width % 250] * (width % 250 > 0)
    rows = [b"".join(bytes([run, y % 256]) for run in runs) + b"\0\0" for y in range(height)]
    pixels = b"".join(rows) + b"\0\1"
    start = 54 + len(palette)
    sizes = [40, width, height, 1 | 8 << 16, 1, len(pixels), 2835, 2835, 256, 0]
    header = [start + len(pixels), 0, start, *sizes]
    return b"BM" + np.array(header, dtype="<u4").tobytes() + palette + pixels


def _saved(image: Image.Image, image_format: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, image_format, **options)
    return stream.getvalue()
