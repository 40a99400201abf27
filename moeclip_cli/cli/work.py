"""How much work each image of a run is, for the time left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moeclip_cli.files import size_and_time

if TYPE_CHECKING:
    from moeclip_cli.discovery.inputs import ImageRef


@dataclass(frozen=True)
class Work:
    """The work of the images of a run.

    Without tiles every image takes as long as another. With tiles the time grows with the number of
    pixels, which the size of the file tells without opening it.

    Attributes:
        total: of all images; None if every image counts as one.
    """

    total: float | None

    @classmethod
    def of_run(cls, refs: Iterable[ImageRef], settings: Mapping[str, Any]) -> Work:
        """The work of a run.

        Args:
            refs: its images.
            settings: of the scoring, which say whether there are tiles.
        """
        if settings.get("tile") is None:
            return cls(None)
        return cls(float(sum(_bytes(str(ref.path)) for ref in refs)))

    def of(self, path: str) -> float:
        """The work of the image at a path."""
        return 1.0 if self.total is None else float(_bytes(path))


def _bytes(path: str) -> int:
    """The size of a file; 1 for what is not a file, such as a URL or a page of one."""
    found = size_and_time(Path(path))
    return 1 if found is None else max(1, found[0])
