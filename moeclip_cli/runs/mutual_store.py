"""The folder `mutual`: what the comparison of each subset gave, so that a resumed run keeps it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

import torch
from safetensors.torch import save

from moeclip_cli.checkpoints.safetensors_file import read_safetensors
from moeclip_cli.errors import ModelError
from moeclip_cli.files import replacing, write_errors
from moeclip_cli.inspection.compared_image import ComparedImage
from moeclip_cli.runs.kinds import MUTUAL

FileState: TypeAlias = "tuple[int, int] | None"
"""Size in bytes and modification time in nanoseconds; None for a file that cannot be found."""

_KEY = "images"


@dataclass(frozen=True)
class _Entry:
    """An image in the metadata of a file."""

    path: str
    state: list[int] | None
    grid: list[int] | None
    others: int
    width: int
    height: int
    notes: list[str]
    error: str | None
    temporary: bool


class SubsetFiles:
    """The files of the subsets: `mutual/001.safetensors` and so on.

    A file has the distances of all images of a subset, one after the other, and their records as
    JSON in the metadata.

    Args:
        folder: the output folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / MUTUAL

    def path(self, number: int) -> Path:
        """The file of a subset, counted from 0."""
        return self._folder / f"{number + 1:03}.safetensors"

    def read(
        self, number: int, paths: Sequence[str], states: Sequence[FileState]
    ) -> list[ComparedImage] | None:
        """The images of a subset as an earlier run compared them.

        Args:
            number: of the subset.
            paths: of its images now.
            states: of their files now.

        Returns:
            None if there is no such file, it is damaged, an image has changed, or another try may
            read an image that could not be read.
        """
        try:
            tensors, metadata = read_safetensors(self.path(number))
            entries = [_Entry(**each) for each in json.loads(metadata[_KEY])]
            images = _compared(entries, tensors["distances"])
        except (ModelError, ValueError, TypeError, LookupError, RuntimeError):
            return None
        known = [(entry.path, entry.state and tuple(entry.state)) for entry in entries]
        if known != list(zip(paths, states, strict=True)):
            return None
        if None in states or any(image.temporary for image in images):
            return None
        return images

    def write(
        self, number: int, images: Sequence[ComparedImage], states: Sequence[FileState]
    ) -> None:
        """Write the file of a subset in one step.

        Args:
            number: of the subset.
            images: in order.
            states: of their files, from before they were read.

        Raises:
            UsageError: if it cannot be written.
        """
        entries = [
            _Entry(
                image.path,
                None if state is None else list(state),
                None if image.distances is None else list(image.distances.shape),
                image.others,
                image.width,
                image.height,
                list(image.notes),
                image.error,
                image.temporary,
            )
            for image, state in zip(images, states, strict=True)
        ]
        flat = [image.distances.flatten() for image in images if image.distances is not None]
        distances = torch.cat(flat) if flat else torch.zeros(0)
        # ASCII, since a file name that is not UTF-8 has surrogates.
        content = save({"distances": distances}, {_KEY: json.dumps([*map(asdict, entries)])})
        with replacing(self.path(number), durable=True) as stream:
            stream.write(content)

    def existing(self) -> set[Path]:
        """The files of all subsets, of earlier runs as well."""
        return set(self._folder.glob("*.safetensors"))

    def remove_others(self, count: int) -> None:
        """Remove files beyond those of the first `count` subsets.

        Raises:
            UsageError: if one cannot be removed.
        """
        for path in self.existing() - {self.path(number) for number in range(count)}:
            with write_errors(path):
                path.unlink(missing_ok=True)

    def digest(self, count: int) -> str:
        """SHA-256 of the first `count` files."""
        found = hashlib.sha256()
        for number in range(count):
            with write_errors(self.path(number)):
                found.update(hashlib.sha256(self.path(number).read_bytes()).digest())
        return found.hexdigest()


def _compared(entries: Sequence[_Entry], distances: torch.Tensor) -> list[ComparedImage]:
    if distances.dtype != torch.float32 or not distances.isfinite().all():
        raise ValueError("unexpected type or numbers")
    grids = [entry.grid for entry in entries]
    lengths = [0 if grid is None else grid[0] * grid[1] for grid in grids]
    parts = distances.split(lengths)
    return [
        ComparedImage(
            entry.path,
            None if entry.grid is None else part.view(entry.grid),
            entry.others,
            entry.width,
            entry.height,
            tuple(entry.notes),
            entry.error,
            entry.temporary,
        )
        for entry, part in zip(entries, parts, strict=True)
    ]
