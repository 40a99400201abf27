"""References of images that are scored in windows: the patches of all windows of each."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from io import IOBase

import torch

from moeclip_cli.discovery.prompts_file import DEFAULT_PROMPT
from moeclip_cli.errors import UsageError
from moeclip_cli.images.resized import normalise
from moeclip_cli.inspection.building import Rows, kept, name_of, tokens_of, unreadable
from moeclip_cli.inspection.forward import ForwardPass
from moeclip_cli.inspection.image_like import ImageLike, listed
from moeclip_cli.inspection.network_input import resized_inputs
from moeclip_cli.inspection.prepared import batches
from moeclip_cli.inspection.references import (
    GoodParts,
    References,
    Subsets,
)
from moeclip_cli.inspection.window_scorer import Passes, WindowScorer
from moeclip_cli.inspection.windows import Window, WindowReader
from moeclip_cli.model.bank import PatchBank
from moeclip_cli.model.scoring import patches_inside
from moeclip_cli.parallel.cores import choose_workers
from moeclip_cli.parallel.device import default_batch_size


@dataclass(frozen=True, eq=False)
class WindowReferences:
    """Builds references from windows, with scores of each against the others.

    The images are read again to be scored: the patches of all windows of all references would not
    fit into memory.

    Attributes:
        reader: reads the images.
        forward: the network; its references are ignored.
        in_passes: divides a batch into passes that fit into memory.
    """

    reader: WindowReader
    forward: ForwardPass
    in_passes: Passes

    def build(
        self,
        images: GoodParts,
        *,
        rotations: int,
        keep: int | None,
        earlier: References | None = None,
    ) -> References:
        """The references of some images.

        Args:
            images: as for `build_references`, except for sets.
            rotations: number of angles at which each image enters the bank.
            keep: number of patches of each window, level and angle in the bank; None for all.
            earlier: see `build_references`.

        Raises:
            UsageError: if an image cannot be read, or there is no new one.
        """
        if isinstance(images, References):
            return images
        if isinstance(images, Subsets):
            raise UsageError("Sets of references are compared with whole images; omit `tile`.")
        layout = self.reader.layout
        if rotations > 1 and (layout.has_region or layout.view is not None):
            raise UsageError(
                "A region or reference view has its place in the image, but "
                "`reference_rotations` turns the parts; omit one of the two."
            )
        new = _Bank(() if earlier is None else earlier.digests)
        # A stream can be read once, but each image is read several times.
        named = {
            name_of(image, number): image.read() if isinstance(image, IOBase) else image
            for number, image in enumerate(listed(images), start=1)
        }
        for name, image in named.items():
            for step in range(rotations):
                if not self._add(new, image, name, keep, degrees=360 * step / rotations):
                    break  # a copy of another one
        if not new.names and earlier is not None:
            raise UsageError("All of these images are references already.")
        if not new.names:
            raise UsageError("There are no reference images; check `reference`.")
        found = new.references(self.forward.device, rotations)
        both = found if earlier is None else earlier.joined(found)
        if len(both.names) == 1:
            return both
        distinct = [named[name] for name in new.names]
        return replace(both, scores=both.scores + self._left_out_scores(both, distinct))

    @torch.inference_mode()
    def _add(
        self, bank: _Bank, image: ImageLike, name: str, keep: int | None, *, degrees: float
    ) -> bool:
        """Add an image at an angle; false if it is in the bank under another name."""
        size = default_batch_size(self.forward.device)
        with closing(self._windows(image, degrees, size)) as windows:
            for batch in batches(windows, size):
                whole = batch[0].image
                if whole.item.error is not None:
                    raise unreadable(name, whole.item.error)
                if not bank.accepts(name, whole.digest):
                    return False
                network = self.forward.model.network
                inputs = [
                    torch.from_numpy(normalise(window.item.pixels[0], network.preprocessing))
                    for window in batch
                ]
                found = tokens_of(network, inputs, self.forward.device)
                for window, patches in zip(batch, found, strict=True):
                    counted = self._inside(window, patches)
                    bank.add([kept(level, keep) for level in counted])
        return True

    def _inside(self, window: Window, patches: list[torch.Tensor]) -> list[torch.Tensor]:
        """The patches (L, D) of each level that count."""
        inside = window.item.inside
        if inside is None:
            return patches
        side = self.forward.model.network.backbone.architecture.patch_size
        grid = inside.shape[0] // side, inside.shape[1] // side
        counted = patches_inside(torch.from_numpy(inside)[None], grid)[0]
        return [level[counted.to(level.device)] for level in patches]

    def _windows(
        self, image: ImageLike, degrees: float, size: int
    ) -> Generator[Window, None, None]:
        network = self.forward.model.network
        # Further input sizes are for the zero-shot score only.
        sizes = self.forward.model.config.sizes[:1]
        reader = replace(self.reader, inputs=lambda pixels: resized_inputs(pixels, network, sizes))
        return reader.windows(
            [image],
            lambda image: DEFAULT_PROMPT,
            workers=choose_workers(None),
            ahead=2 * size,
            degrees=degrees,
        )

    def _left_out_scores(
        self, references: References, images: Sequence[ImageLike]
    ) -> tuple[float, ...]:
        """Scores of images that are references, each against all others."""
        forward = replace(self.forward, references=references)
        scorer = WindowScorer(self.reader, forward.batch, references, self.in_passes)
        scored = scorer.score(
            images,
            lambda image: DEFAULT_PROMPT,
            batch_size=default_batch_size(self.forward.device),
            workers=choose_workers(None),
        )
        return tuple(each.score for each in scored)


@dataclass(eq=False)
class _Bank:
    """Patches of references, while they are added.

    Attributes:
        known: digests of images that are left out.
        names: of the references.
        digests: of the references.
    """

    known: Sequence[str]
    names: list[str] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    _levels: list[Rows] = field(default_factory=list)
    _counts: list[int] = field(default_factory=list)

    def accepts(self, name: str, digest: str) -> bool:
        """Make an image the latest reference, unless another one is the same."""
        if self.names and self.names[-1] == name:
            return True
        if digest in self.known or digest in self.digests:
            return False
        self.names.append(name)
        self.digests.append(digest)
        self._counts.append(0)
        return True

    def add(self, patches: Sequence[torch.Tensor]) -> None:
        """Add patches (n, D) of each level to the latest reference."""
        self._levels = self._levels or [Rows() for _ in patches]
        for level, rows in zip(self._levels, patches, strict=True):
            level.add(rows)
        self._counts[-1] += self._levels[0].latest

    def references(self, device: torch.device, rotations: int) -> References:
        """The references without scores; they can be taken once."""
        levels = tuple(level.join() for level in self._levels)
        owners = torch.arange(len(self.names)).repeat_interleave(torch.tensor(self._counts))
        bank = PatchBank(levels, owners.to(device))
        return References(bank, tuple(self.names), tuple(self.digests), (), rotations)
