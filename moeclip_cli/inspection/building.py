"""From images of good parts to references: read ahead, batched, scored against each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import torch

from moeclip_cli.errors import ImageError, UsageError
from moeclip_cli.images.decode import DEFAULT_DECODE_SECONDS, DEFAULT_MAX_PIXELS, decode
from moeclip_cli.images.pipeline import prefetch
from moeclip_cli.inspection.image_like import ImageLike, input_digest, listed, place_and_name
from moeclip_cli.inspection.network_input import LeveledNetwork, network_input
from moeclip_cli.inspection.prepared import alike, batches
from moeclip_cli.inspection.references import (
    GoodParts,
    References,
    Subsets,
    turned,
)
from moeclip_cli.model.bank import PatchBank, image_score, thinned, units
from moeclip_cli.parallel.cores import choose_workers
from moeclip_cli.parallel.device import default_batch_size

# Elements of a piece: 64 MB in half precision, twice what the C library keeps on its heap.
_PIECE = 2**25


@dataclass(frozen=True, eq=False)
class Part:
    """An image of a good part.

    Attributes:
        name: its path, or its number.
        inputs: its network input (3, H, W) at each angle, upright first.
        digest: SHA-256 of the first.
    """

    name: str
    inputs: tuple[torch.Tensor, ...]
    digest: str


@dataclass(frozen=True, eq=False)
class Patches:
    """References without scores.

    Attributes:
        references: their bank, names and digests.
        upright: for each reference, the unit vectors (L, D) in half precision of all its upright
            patches at each level; views of the bank where it contains them all.
    """

    references: References
    upright: list[list[torch.Tensor]]


class Rows:
    """Rows of a growing tensor, kept in pieces that are large enough to be freed one by one.

    Small ones lie next to each other in memory, whose holes a large tensor cannot use: a bank of
    500 references would take twice the memory while it is joined.
    """

    def __init__(self) -> None:
        self._pieces: list[torch.Tensor] = []
        self._recent: list[torch.Tensor] = []
        self.latest = 0

    def add(self, rows: torch.Tensor) -> None:
        """Append rows (n, D); `latest` is then n."""
        self._recent.append(rows)
        self.latest = len(rows)
        if sum(recent.numel() for recent in self._recent) >= _PIECE:
            self._pieces.append(torch.cat(self._recent))
            self._recent = []

    def join(self) -> torch.Tensor:
        """All rows in one tensor. Each piece is freed as soon as it is copied."""
        pieces, self._pieces, self._recent = self._pieces + self._recent, [], []
        joined = pieces[0].new_empty(sum(map(len, pieces)), pieces[0].shape[1])
        parts = joined.split([len(piece) for piece in pieces])
        for part in parts:
            part.copy_(pieces.pop(0))
        return joined


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

    def read(numbered: tuple[int, ImageLike]) -> Part:
        number, image = numbered
        source, name = place_and_name(image)[0], name_of(image, number)
        try:
            pixels = decode(source, max_pixels=max_pixels, decode_seconds=decode_seconds).pixels
        except ImageError as error:
            raise unreadable(name, str(error)) from error
        inputs = tuple(
            network_input(turned(pixels, 360 * step / rotations), network)
            for step in range(rotations)
        )
        return Part(name, inputs, input_digest(inputs[0].numpy()))

    ahead = 2 * default_batch_size(device)
    files = images.files() if isinstance(images, Subsets) else listed(images)
    loading = prefetch(enumerate(files, start=1), read, workers=choose_workers(None), ahead=ahead)
    with closing(loading) as parts:
        distinct = _Distinct(parts, () if earlier is None else earlier.digests)
        found = patches_of(network, distinct, device, rotations, keep)
    if found is None and earlier is not None:
        raise UsageError("All of these images are references already.")
    if found is None:
        raise UsageError("There are no reference images; check `reference`.")
    if isinstance(images, Subsets):
        numbers = {name: found.references.owner(digest) for name, digest in distinct.seen.items()}
        subsets = (sorted({numbers[str(path)] for path in subset}) for subset in images.images)
        return replace(found.references, subsets=tuple(map(tuple, subsets)))
    both = found.references if earlier is None else earlier.joined(found.references)
    if len(both.names) == 1:
        return both
    return replace(both, scores=both.scores + _left_out_scores(both.bank, found.upright))


@torch.inference_mode()
def patches_of(
    network: LeveledNetwork,
    parts: Iterable[Part],
    device: torch.device,
    rotations: int,
    keep: int | None,
) -> Patches | None:
    """The patches of different parts; None if there are none.

    Memory is that of the bank and of one of its levels. If not all patches are kept, the upright
    ones of all parts come on top.
    """
    names: list[str] = []
    digests: list[str] = []
    levels = [Rows() for _ in network.config.layers]
    counts: list[int] = []
    upright: list[list[torch.Tensor]] = []
    for batch in batches(parts, default_batch_size(device)):
        inputs = [pixels for part in batch for pixels in part.inputs]
        tokens = iter(tokens_of(network, inputs, device))
        for part in batch:
            names.append(part.name)
            digests.append(part.digest)
            angles = [next(tokens) for _ in part.inputs]
            for level, seen in zip(levels, zip(*angles, strict=True), strict=True):
                level.add(torch.cat([kept(patches, keep) for patches in seen]))
            counts.append(levels[0].latest)
            if keep is not None:
                upright.append([units(patches) for patches in angles[0]])
    if not names:
        return None
    joined = [level.join() for level in levels]
    owners = torch.arange(len(names)).repeat_interleave(torch.tensor(counts)).to(device)
    references = References(
        PatchBank(tuple(joined), owners), tuple(names), tuple(digests), (), rotations
    )
    if keep is None:
        upright = [
            [level[: len(level) // rotations] for level in reference]
            for reference in zip(*(level.split(counts) for level in joined), strict=True)
        ]
    return Patches(references, upright)


def name_of(image: ImageLike, number: int) -> str:
    """The path of a reference or, for one in memory, its number."""
    return place_and_name(image)[1] or f"image {number}"


def unreadable(name: str, reason: str) -> UsageError:
    """The error for a reference that cannot be read."""
    return UsageError(
        f"The reference {name} cannot be read: {reason} Remove it, or repair the file."
    )


class _Distinct:
    """The first part with each digest, without those that are known.

    Args:
        parts: can be iterated once.
        known: digests of parts to leave out.

    Attributes:
        seen: digests of all parts up to now, by their names.
    """

    def __init__(self, parts: Iterable[Part], known: Sequence[str]) -> None:
        self._parts = parts
        self._known = set(known)
        self.seen: dict[str, str] = {}

    def __iter__(self) -> Iterator[Part]:
        for part in self._parts:
            self.seen[part.name] = part.digest
            if part.digest not in self._known:
                self._known.add(part.digest)
                yield part


def tokens_of(
    network: LeveledNetwork, inputs: Sequence[torch.Tensor], device: torch.device
) -> list[list[torch.Tensor]]:
    """Tokens (L, D) of each level of each network input; those of one shape are batched."""
    found: dict[int, list[torch.Tensor]] = {}
    for group in alike(pixels.shape for pixels in inputs):
        for numbers in batches(group, default_batch_size(device)):
            images = torch.stack([inputs[number] for number in numbers]).to(device)
            levels = network.levels(images).tokens
            for row, number in enumerate(numbers):
                found[number] = [level[row] for level in levels]
    return [found[number] for number in range(len(inputs))]


def kept(patches: torch.Tensor, keep: int | None) -> torch.Tensor:
    """Unit vectors of all patches (L, D) of a level, or of `keep` of them."""
    return units(patches if keep is None else thinned(patches, keep))


@torch.inference_mode()
def _left_out_scores(
    bank: PatchBank, upright: Sequence[Sequence[torch.Tensor]]
) -> tuple[float, ...]:
    """Scores of the last references of a bank, each against all others."""
    first = len(bank.counts()) - len(upright)
    scores = []
    for number, tokens in enumerate(upright, start=first):
        own = torch.tensor([number], device=bank.owners.device)
        scores.append(image_score(bank.distances([level[None] for level in tokens], own)).item())
    return tuple(scores)
