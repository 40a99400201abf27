"""Good parts without the defective ones: folders of labelled images, given by mistake."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from moeclip_cli.datasets.index import Index
from moeclip_cli.datasets.user_folder import index_folder
from moeclip_cli.errors import DatasetError, UsageError


def require_only_good(paths: Iterable[str]) -> None:
    """Refuse folders of a labelled dataset, whose defective images and masks would count as good.

    Args:
        paths: as the user named the images; what is not a local folder passes.

    Raises:
        UsageError: naming a defective image and the folder of good ones.
    """
    for path in paths:
        folder = Path(path)
        index = _index(folder)
        if folder.name == "test" and not index.samples:
            index = _index(folder.parent)
        if {sample.label for sample in index.samples} == {0, 1}:
            defective = next(sample.image for sample in index.samples if sample.label)
            good = (*index.training, *(each for each in index.samples if not each.label))[0]
            raise UsageError(
                f"{path} contains defective images, too, such as {defective}; name the good ones "
                f"alone, such as {good.image.parent}."
            )


def _index(folder: Path) -> Index:
    """The images of a folder in the layout of a dataset; none of any other path."""
    try:
        return index_folder(folder) if folder.is_dir() else Index()
    except (DatasetError, OSError, ValueError):  # ValueError: NUL in the path
        return Index()
