"""The pictures of `moeclip heatmap`: which ones, and where they go."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from moeclip_cli.choices import PictureFormat
from moeclip_cli.discovery.inputs import ImageRef
from moeclip_cli.errors import UsageError
from moeclip_cli.files import is_present
from moeclip_cli.images.encode import picture_suffix
from moeclip_cli.runs.image_files import HEATMAPS
from moeclip_cli.runs.names import output_path

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
    picture_format: PictureFormat = "png"
    sheets: bool = False
    masks: Path | None = None
    experts_layer: int | None = None

    def paths(self, name: str) -> dict[str, Path]:
        """Paths of the pictures of the image called `name`, by kind."""
        kinds = [HEATMAPS]
        if self.sheets:
            kinds.append(SHEETS)
        if self.experts_layer is not None:
            kinds.append(EXPERTS)
        suffix = picture_suffix(self.picture_format)
        return {kind: output_path(self.folder / kind, name, suffix) for kind in kinds}

    def refuse_existing(self, refs: Iterable[ImageRef]) -> None:
        """Refuse to overwrite pictures.

        Raises:
            UsageError: naming the first picture of `refs` that exists.
        """
        for ref in refs:
            for path in self.paths(ref.name).values():
                if is_present(path):
                    raise UsageError(
                        f"{path} exists; use `overwrite` to replace it, or choose another `out`."
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
