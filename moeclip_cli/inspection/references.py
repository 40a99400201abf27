"""References: images of good parts, and the bank of their patches that images are compared with."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from moeclip_cli.errors import ImageError, UsageError
from moeclip_cli.images.decode import DEFAULT_DECODE_SECONDS, DEFAULT_MAX_PIXELS, decode
from moeclip_cli.images.preprocess import preprocess
from moeclip_cli.model.bank import PatchBank, image_score, thinned
from moeclip_cli.model.frozen_tower import FrozenTower
from moeclip_cli.model.moeclip import MoECLIP

ImageLike: TypeAlias = "str | os.PathLike[str] | Image.Image | NDArray[np.uint8]"
LeveledNetwork: TypeAlias = "MoECLIP | FrozenTower"
"""A network whose `levels` gives patch tokens."""

# Leave-one-out scores this many deviations above the median are suspicious.
_OUTLIER = 6.0
# Between mean absolute deviation and standard deviation of a normal distribution.
_TO_DEVIATION = 1.4826
# Two images of one part in one position differ by less than this.
_NEAR_DUPLICATE = 0.02


@dataclass(frozen=True, eq=False)
class References:
    """Images of good parts, ready for comparison.

    Attributes:
        bank: their patches.
        names: path of each image, or its number.
        digests: for each image, SHA-256 of the network input.
        scores: for each image, its score against the others; empty for a single one.
        rotations: number of angles at which each image is in the bank.
        subsets: numbers of the references in each subset that images are also compared with on its
            own; see `Subsets`.
    """

    bank: PatchBank
    names: tuple[str, ...]
    digests: tuple[str, ...]
    scores: tuple[float, ...]
    rotations: int
    subsets: tuple[tuple[int, ...], ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of the set of images, whatever their order."""
        return hashlib.sha256("".join(sorted(self.digests)).encode()).hexdigest()

    def owner(self, digest: str) -> int:
        """The number of the reference with this digest; -1 if there is none."""
        return self.digests.index(digest) if digest in self.digests else -1

    def number(self, name: str) -> int:
        """The number of the reference with this path, or with this file name if it is unique.

        Raises:
            UsageError: if there is none, or there are several.
        """
        for names in (list(self.names), [Path(known).name for known in self.names]):
            if names.count(name) == 1:
                return names.index(name)
        raise UsageError(
            f"{name} is not the name of one reference; 'moeclip profile show' lists them."
        )

    def without(self, removed: Sequence[int]) -> References:
        """The references without those of the given numbers; the others keep their scores."""
        kept = [number for number in range(len(self.names)) if number not in removed]
        return References(
            self.bank.selected(kept),
            tuple(self.names[i] for i in kept),
            tuple(self.digests[i] for i in kept),
            tuple(self.scores[i] for i in kept if self.scores),
            self.rotations,
        )

    def joined(self, other: References) -> References:
        """These references and those of `other` that are not among them.

        Scores are kept. They are never too low: more references make no distance larger.

        Raises:
            UsageError: if the number of angles differs.
        """
        if self.rotations != other.rotations:
            raise UsageError(
                f"The references are compared at {self.rotations} and {other.rotations} angles; "
                "build both with the same `reference_rotations`."
            )
        known = [i for i, digest in enumerate(other.digests) if digest in self.digests]
        new = other.without(known)
        if not new.names:
            return self
        return References(
            self.bank.joined(new.bank),
            self.names + new.names,
            self.digests + new.digests,
            self.scores + new.scores,
            self.rotations,
        )

    def remarks(self) -> list[str]:
        """Sentences about references that need a look."""
        if len(self.names) == 1:
            return ["With a single reference, no threshold follows; the default is a guess."]
        found = [
            f"{self.names[i]} differs from the other references (score {self.scores[i]:.3f}); is "
            "it a good part?"
            for i in self.suspicious()
        ]
        near = [name for name, score in zip(self.names, self.scores, strict=True)
                if score < _NEAR_DUPLICATE]  # fmt: skip
        if near:
            found.append(
                f"{len(near)} references are nearly equal to another one (such as {near[0]}); "
                "different parts would teach more."
            )
        return found

    def suspicious(self) -> list[int]:
        """Numbers of references whose score stands out, highest first."""
        scores = np.array(self.scores)
        if len(scores) < 3:
            return []
        median = np.median(scores)
        deviation = _TO_DEVIATION * np.median(np.abs(scores - median))
        limit = median + _OUTLIER * max(deviation, _NEAR_DUPLICATE / _OUTLIER)
        return [int(i) for i in np.argsort(-scores, kind="stable") if scores[i] > limit]


def listed(images: Iterable[ImageLike] | ImageLike) -> Iterable[ImageLike]:
    """Several images as they are, a single one as a list."""
    if isinstance(images, (str, os.PathLike, Image.Image, np.ndarray)):
        return [images]
    return images


@dataclass(frozen=True)
class Subsets:
    """Sets of good parts; images are compared with each set on its own, in one pass.

    Attributes:
        images: the image files of each set. Sets may share images.
    """

    images: tuple[tuple[Path, ...], ...]


GoodParts: TypeAlias = "Iterable[ImageLike] | Subsets | References"
"""Images of good parts, sets of them, or references that were made of them before."""


@torch.inference_mode()
def build_references(
    network: LeveledNetwork,
    images: GoodParts,
    *,
    device: torch.device,
    rotations: int = 1,
    keep: int | None = None,
    earlier: References | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    decode_seconds: float = DEFAULT_DECODE_SECONDS,
) -> References:
    """Compute the patches of the references and their leave-one-out scores.

    Args:
        network: on `device`, in evaluation mode.
        images: paths, PIL images or RGB arrays, or sets of them. Copies of an image count once.
            With sets, there are no leave-one-out scores. Finished references are returned as they
            are.
        device: device of the network.
        rotations: number of angles, evenly spaced over 360 degrees, at which each image enters
            the bank; 1 for upright only.
        keep: number of patches of each image, level and angle in the bank; None for all.
        earlier: references that the new ones are added to. Their scores stay as they are: never too
            low, since more references make no distance larger.
        max_pixels: images with more pixels are refused.
        decode_seconds: limit on the time to decode an image.

    Raises:
        UsageError: if an image cannot be read, or there is no new one.
    """
    if isinstance(images, References):
        return images
    if isinstance(images, Subsets):
        return _build_subsets(
            images,
            partial(
                build_references,
                network,
                device=device,
                rotations=rotations,
                keep=keep,
                max_pixels=max_pixels,
                decode_seconds=decode_seconds,
            ),
        )
    size = network.config.image_size
    names: list[str] = []
    digests: list[str] = []
    banked: list[list[torch.Tensor]] = []
    upright: list[list[torch.Tensor]] = []
    for number, image in enumerate(listed(images), start=1):
        source = Path(image) if isinstance(image, (str, os.PathLike)) else image
        try:
            pixels = decode(source, max_pixels=max_pixels, decode_seconds=decode_seconds).pixels
        except ImageError as error:
            name = _name(image, number)
            raise UsageError(
                f"The reference {name} cannot be read: {error} Remove it, or repair the file."
            ) from error
        inputs = [
            preprocess(turned(pixels, 360 * step / rotations), size, network.preprocessing)
            for step in range(rotations)
        ]
        digest = input_digest(inputs[0])
        if digest in digests or (earlier is not None and digest in earlier.digests):
            continue
        names.append(_name(image, number))
        digests.append(digest)
        tokens = [_levels(network, one, device) for one in inputs]
        upright.append(tokens[0])
        banked.append(
            [torch.cat([_kept(one, keep) for one in level]) for level in zip(*tokens, strict=True)]
        )
    if not names and earlier is not None:
        raise UsageError("All of these images are references already.")
    if not names:
        raise UsageError("There are no reference images; check `reference`.")
    new = References(PatchBank.of(banked), tuple(names), tuple(digests), (), rotations)
    both = new if earlier is None else earlier.joined(new)
    if len(both.names) == 1:
        return both
    first = len(both.names) - len(names)
    scores = tuple(
        image_score(
            both.bank.distances(
                [level[None] for level in tokens], torch.tensor([number], device=device)
            )
        ).item()
        for number, tokens in enumerate(upright, start=first)
    )
    return replace(both, scores=both.scores + scores)


def _build_subsets(
    subsets: Subsets, build: Callable[[Iterable[ImageLike]], References]
) -> References:
    """The references of all sets. The patches of an image are computed once."""
    numbers: dict[Path, int] = {}
    found: list[References] = []
    for path in dict.fromkeys(path for subset in subsets.images for path in subset):
        one = build([path])
        known = [other.digests for other in found]
        if one.digests not in known:
            found.append(one)
            known.append(one.digests)
        numbers[path] = known.index(one.digests)
    return References(
        PatchBank.chained([one.bank for one in found]),
        tuple(name for one in found for name in one.names),
        tuple(digest for one in found for digest in one.digests),
        (),
        found[0].rotations,
        tuple(tuple(sorted({numbers[path] for path in subset})) for subset in subsets.images),
    )


def input_digest(pixels: torch.Tensor) -> str:
    """SHA-256 of a network input (3, S, S), by which a reference is recognised."""
    return hashlib.sha256(pixels.contiguous().numpy().tobytes()).hexdigest()


def turned(pixels: NDArray[np.uint8], degrees: float) -> NDArray[np.uint8]:
    """The image turned about its centre, at the same size; the corners are mirrored in."""
    if degrees == 0:
        return pixels
    height, width = pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    rotated: NDArray[np.uint8] = cv2.warpAffine(
        pixels, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    return rotated


def _levels(
    network: LeveledNetwork, pixels: torch.Tensor, device: torch.device
) -> list[torch.Tensor]:
    """Tokens (L, D) of each level of one network input."""
    return [level[0] for level in network.levels(pixels[None].to(device)).tokens]


def _kept(patches: torch.Tensor, keep: int | None) -> torch.Tensor:
    """All patches (L, D) of a level, or `keep` of them."""
    return patches if keep is None else thinned(patches, keep)


def _name(image: ImageLike, number: int) -> str:
    """The path of an image, or its number for one in memory."""
    return str(image) if isinstance(image, (str, os.PathLike)) else f"image {number}"
