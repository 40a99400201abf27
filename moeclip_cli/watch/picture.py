"""A picture in a watched folder: one state of one file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath


@dataclass(frozen=True, order=True)
class Picture:
    """One state of one file. A file that is replaced is another picture.

    Attributes:
        modified_ns: modification time in nanoseconds since 1970; pictures are ordered by it.
        name: POSIX path of the file relative to the watched folder.
        size: size of the file in bytes.
    """

    modified_ns: int
    name: str
    size: int

    @property
    def dated_name(self) -> str:
        """The name with the modification time, for a picture whose name was used before."""
        path = PurePosixPath(self.name)
        return str(path.with_name(f"{path.stem}~{self.modified_ns}{path.suffix}"))

    def is_unchanged(self, path: Path) -> bool:
        """Return True if the file at `path` still has this state."""
        try:
            status = path.stat()
        except (OSError, ValueError):
            return False
        return (status.st_size, status.st_mtime_ns) == (self.size, self.modified_ns)


def state_key(name: str, size: int | None, modified_ns: int | None) -> str:
    """Text that is the same for equal states of a file."""
    return f"{size} {modified_ns} {name}"
