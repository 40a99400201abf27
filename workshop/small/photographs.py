"""Photographs, textures and cut-out objects of free Debian packages, for planting defects.

    apt-get download supertuxkart-data tuxpaint-stamps-default mate-backgrounds \\
        gnome-backgrounds ukui-wallpapers plasma-workspace-wallpapers lomiri-wallpapers-16.04 \\
        lomiri-wallpapers-20.04 ufoai-textures
    for package in *.deb; do dpkg -x $package debian; done
    unzip -q -d debian/ufoai debian/usr/share/games/ufoai/base/0textures.pk3

Drawings, normal maps, flat pictures and copies are left out by simple statistics of their pixels.
Every fifth picture and all textures of ufoai are held out of training, to choose on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SURFACES = (
    "usr/share/games/supertuxkart/data/textures",
    "usr/share/games/supertuxkart/data/tracks",
    "usr/share/games/supertuxkart/data/library",
    "usr/share/backgrounds",
    "usr/share/wallpapers",
)
_OBJECTS = "usr/share/tuxpaint/stamps"
_CHOOSING = "ufoai/textures"
_NO_PHOTOGRAPH = re.compile(
    r"normal|_n\.|_nm\.|nrm|spec|gloss|_s\.|mask|alpha|lightmap|particle|screenshot|minimap|sky|"
    r"font|icon|logo|gui|billboard|sign|symbols",
    re.IGNORECASE,
)
_MIN_SIDE, _MAX_SIDE = 256, 1024
_MIN_OBJECT = 160
# Two pictures whose small grey versions correlate more than this are copies.
_SAME = 0.97
_HELD_OUT = 5


@dataclass(frozen=True)
class Photographs:
    """Pictures to crop and to plant defects into.

    Attributes:
        surfaces: (H, W, 3) RGB uint8.
        objects: (H, W, 4) RGBA uint8, transparent around the object.
    """

    surfaces: list[NDArray[np.uint8]]
    objects: list[NDArray[np.uint8]]


def photographs(folder: Path) -> tuple[Photographs, Photographs]:
    """Photographs for training, and others to choose on.

    Args:
        folder: of the unpacked packages.
    """
    surfaces = _distinct(_surfaces(folder, _SURFACES))
    objects = list(_objects(folder))
    choosing = _distinct(_surfaces(folder, (_CHOOSING,)))[::_HELD_OUT]
    held = slice(None, None, _HELD_OUT)
    return (
        Photographs(_without(surfaces), _without(objects)),
        Photographs(surfaces[held] + choosing, objects[held]),
    )


def _without(pictures: list[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    return [picture for number, picture in enumerate(pictures) if number % _HELD_OUT]


def _files(folder: Path, parts: tuple[str, ...]) -> Iterator[Path]:
    for part in parts:
        for path in sorted((folder / part).rglob("*")):
            shown = path.suffix.lower() in (".png", ".jpg", ".jpeg") and not path.is_symlink()
            if shown and not _NO_PHOTOGRAPH.search(str(path.relative_to(folder / part))):
                yield path


def _surfaces(folder: Path, parts: tuple[str, ...]) -> Iterator[NDArray[np.uint8]]:
    for path in _files(folder, parts):
        with Image.open(path) as image:
            if min(image.size) < _MIN_SIDE:
                continue
            image.draft("RGB", (_MAX_SIDE, _MAX_SIDE))
            alpha = np.asarray(image.convert("RGBA").getchannel("A"))
            pixels = np.asarray(image.convert("RGB"))
        if alpha.min() >= 250 and _is_photographic(pixels):
            yield _at_most(pixels)


def _is_photographic(pixels: NDArray[np.uint8]) -> bool:
    """True unless many neighbouring pixels are equal, or there are few colours."""
    grey = cv2.cvtColor(pixels[:_MAX_SIDE, :_MAX_SIDE], cv2.COLOR_RGB2GRAY).astype(np.float32)
    equal = (np.abs(np.diff(grey, axis=1)) < 0.5).mean()
    small = cv2.resize(pixels, (96, 96), interpolation=cv2.INTER_AREA)
    return bool(grey.std() >= 5 and equal <= 0.45 and _colours(small) >= 1500)


def _objects(folder: Path) -> Iterator[NDArray[np.uint8]]:
    for path in _files(folder, (_OBJECTS,)):
        with Image.open(path) as image:
            if image.mode != "RGBA" or min(image.size) < _MIN_OBJECT:
                continue
            pixels = np.asarray(image)
        inside = pixels[..., 3] > 250
        if inside.mean() >= 0.15 and _colours(pixels[inside][::7, :3] // 4) >= 600:
            yield _at_most(pixels)


def _colours(pixels: NDArray[np.uint8]) -> int:
    return len(np.unique(pixels.reshape(-1, 3), axis=0))


def _at_most(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture with its shorter side at most `_MAX_SIDE` pixels long."""
    factor = _MAX_SIDE / min(pixels.shape[:2])
    if factor >= 1:
        return pixels
    size = (round(pixels.shape[1] * factor), round(pixels.shape[0] * factor))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def _distinct(pictures: Iterator[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    """The first of each group of copies."""
    kept: list[NDArray[np.uint8]] = []
    seen: list[NDArray[np.float32]] = []
    for picture in pictures:
        small = cv2.resize(picture, (16, 16), interpolation=cv2.INTER_AREA).astype(np.float32)
        vector = (small - small.mean()).ravel()
        vector /= np.linalg.norm(vector) + 1e-6
        if not seen or (np.stack(seen) @ vector).max() < _SAME:
            kept.append(picture)
            seen.append(vector)
    return kept
