"""References: images of good parts, and the bank of their patches that images are compared with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from moeclip_cli.errors import UsageError
from moeclip_cli.inspection.image_like import ImageLike
from moeclip_cli.inspection.outliers import outlier_limit

if TYPE_CHECKING:
    from moeclip_cli.model.bank import PatchBank

# Leave-one-out scores this many deviations above the median are suspicious.
_OUTLIER = 6.0
# Two images of one part in one position differ by less than this.
_NEAR_DUPLICATE = 0.02


@dataclass(frozen=True, eq=False)
class References:
    """Images of good parts, ready for comparison.

    Attributes:
        bank: their patches.
        names: path of each image, or its number.
        digests: for each image, SHA-256 of the network input or, with tiles, of all pixels.
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
            "it a good part? If not, leave this file out."
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

    def suspicious_names(self) -> list[str]:
        """Names of references whose score stands out, highest first."""
        return [self.names[number] for number in self.suspicious()]

    def suspicious(self) -> list[int]:
        """Numbers of references whose score stands out, highest first."""
        scores = np.array(self.scores)
        if len(scores) < 3:
            return []
        limit = outlier_limit(self.scores, _OUTLIER, _NEAR_DUPLICATE)
        return [int(i) for i in np.argsort(-scores, kind="stable") if scores[i] > limit]


@dataclass(frozen=True)
class Subsets:
    """Sets of good parts; images are compared with each set on its own, in one pass.

    Attributes:
        images: the image files of each set. Sets may share images.
    """

    images: tuple[tuple[Path, ...], ...]

    def files(self) -> list[Path]:
        """All files, each of them once."""
        return list(dict.fromkeys(path for subset in self.images for path in subset))


GoodParts: TypeAlias = "Iterable[ImageLike] | Subsets | References"
"""Images of good parts, sets of them, or references that were made of them before."""


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
