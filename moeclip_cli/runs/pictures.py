"""The pictures of `moeclip heatmap`: which ones, and where they go."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.choices import PictureChoice, PictureFormat
from moeclip_cli.discovery.inputs import ImageRef
from moeclip_cli.errors import UsageError
from moeclip_cli.files import is_present
from moeclip_cli.runs.image_files import HEATMAPS
from moeclip_cli.runs.picture_files import possible_paths, write_picture

SHEETS, EXPERTS = "sheets", "experts"
KINDS = (HEATMAPS, SHEETS, EXPERTS)
_MASK_SUFFIXES = ("", "_mask")


@dataclass(frozen=True)
class Pictures:
    """Pictures to draw of every image, besides the overlay.

    Attributes:
        folder: the output folder, with a subfolder for each kind of picture.
        picture_format: file format of the pictures.
        sheets: whether to draw image, map and overlay side by side.
        masks: a mask file, or a folder of masks that mirrors the images; drawn on the sheets.
        experts_layer: block after which each patch's first expert is drawn, or None.
    """

    folder: Path
    picture_format: PictureChoice = "auto"
    sheets: bool = False
    masks: Path | None = None
    experts_layer: int | None = None

    @property
    def kinds(self) -> list[str]:
        """The kinds of pictures, which are the names of their folders."""
        wanted = {HEATMAPS: True, SHEETS: self.sheets, EXPERTS: self.experts_layer is not None}
        return [kind for kind, drawn in wanted.items() if drawn]

    def save(self, kind: str, name: str, picture: NDArray[np.uint8]) -> None:
        """Write a picture of the image called `name`.

        Raises:
            ImageError, UsageError: see `write_picture`.
        """
        write_picture(self.folder / kind, name, self.picture_format, picture)

    def written(self, name: str) -> dict[str, Path | None]:
        """The pictures of the image called `name`, by kind; None for one that does not exist."""
        found: dict[str, Path | None] = {}
        for kind in self.kinds:
            paths = self._possible(kind, name).values()
            found[kind] = next((path for path in paths if path.exists()), None)
        return found

    def _possible(self, kind: str, name: str) -> dict[PictureFormat, Path]:
        return possible_paths(self.folder / kind, name, self.picture_format)

    def refuse_existing(self, refs: Iterable[ImageRef]) -> None:
        """Refuse to overwrite pictures.

        Raises:
            UsageError: naming the first picture of `refs` that exists.
        """
        for ref in refs:
            for kind in self.kinds:
                for path in self._possible(kind, ref.name).values():
                    if is_present(path):
                        raise UsageError(
                            f"{path} exists; use `overwrite` to replace it, or choose another "
                            "`out`."
                        )

    def mask_for(self, name: str) -> Path | None:
        """The mask of the image called `name`, if there is one.

        A mask has the name of its image, with or without `_mask` appended, and any extension.
        """
        if self.masks is None or not self.masks.is_dir():
            return self.masks
        image = Path(name)
        folder = self.masks / image.parent
        if not folder.is_dir():
            return None
        stems = {image.stem + suffix for suffix in _MASK_SUFFIXES}
        masks = sorted(path for path in folder.iterdir() if path.stem in stems)
        return masks[0] if masks else None
