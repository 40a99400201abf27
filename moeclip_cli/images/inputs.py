"""What a user can name: a file, a folder, a glob pattern, a list; and the images it stands for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from moeclip_cli.images import globs
from moeclip_cli.images.disk_list import DiskList
from moeclip_cli.images.walk import Found, walk

# fmt: off
EXTENSIONS = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".dib", ".tif", ".tiff", ".webp", ".gif",
    ".pgm", ".ppm", ".pnm", ".pbm",
)
# fmt: on


@dataclass(frozen=True)
class ImageRef:
    """An image that a run has to read.

    Attributes:
        path: as the user wrote it, joined with what was found there.
        name: POSIX path relative to the common folder of the inputs, for output files to mirror.
            Two different files never share one.
    """

    path: Path
    name: str


@dataclass(frozen=True)
class LeftOut:
    """Something below an input that is not scored.

    Attributes:
        path: as the user wrote it, joined with what was found there.
        reason: why the folder at `path` could not be listed; None if it is a file that is no image
            by its extension.
    """

    path: Path
    reason: str | None = None


@dataclass(frozen=True)
class Scope:
    """What finding one input's images needs to know of the whole run.

    Attributes:
        base: anchor of the inputs' common folder; None if they lie on several drives.
        files: anchors of the files that the user named.
        folders: anchors of the folders that the user named.
        patterns: the glob patterns that the user named.
        recursive: whether folders are searched to any depth.
        exclude: a folder to leave out.
    """

    base: str | None
    files: frozenset[str]
    folders: frozenset[str]
    patterns: tuple[PatternInput, ...]
    recursive: bool
    exclude: Path | None

    def name(self, anchor: str) -> str:
        """Name of the image at an anchor."""
        if self.base is None:
            return anchor.replace(":", "").lstrip("/")
        return anchor[len(self.base) :].lstrip("/")


@dataclass(frozen=True)
class FileInput:
    """A file; an image, whatever its extension.

    Attributes:
        path: as the user wrote it.
        anchor: its absolute path, see `anchor_of`.
    """

    path: Path = field(compare=False)
    anchor: str

    def bases(self) -> Iterator[str]:
        """The folder that its name is relative to, if it is the only input."""
        yield _parent(self.anchor)

    def find(self, scope: Scope) -> Iterator[ImageRef | LeftOut]:
        """Yields the file."""
        yield ImageRef(self.path, scope.name(self.anchor))


@dataclass(frozen=True)
class FolderInput:
    """A folder; stands for the files below it that are images by extension.

    Attributes:
        path: as the user wrote it.
        anchor: its absolute path, see `anchor_of`.
    """

    path: Path = field(compare=False)
    anchor: str

    def bases(self) -> Iterator[str]:
        """The folder that names are relative to, if it is the only input."""
        yield self.anchor

    def find(self, scope: Scope) -> Iterator[ImageRef | LeftOut]:
        """Yields everything below the folder that the user has not named separately."""
        for found in self._walk(scope):
            anchor = _join(self.anchor, found.path)
            if anchor not in scope.files:
                is_image = is_image_name(found.path.rpartition("/")[2])
                yield _entry(self.path, anchor, found, scope, is_image)

    def _walk(self, scope: Scope) -> Iterator[Found]:
        def enter(folder: str) -> bool:
            return scope.recursive and _join(self.anchor, folder) not in scope.folders

        return walk(self.path, enter=enter, exclude=scope.exclude)


@dataclass(frozen=True)
class PatternInput:
    """A glob pattern; stands for the files that it matches and the images below matched folders.

    Files must be images by extension, unless the pattern itself ends in one: "*.dat" means what it
    says. Hidden files and folders are matched only by patterns that have a part with a dot in
    front, as in a shell.

    Attributes:
        path: the part without wildcards, as the user wrote it.
        anchor: its absolute path, see `anchor_of`.
        parts: the rest of the pattern.
    """

    path: Path = field(compare=False)
    anchor: str
    parts: tuple[str, ...]

    def bases(self) -> Iterator[str]:
        """The folder that names are relative to, if it is the only input."""
        yield self.anchor

    def find(self, scope: Scope) -> Iterator[ImageRef | LeftOut]:
        """Yields everything that the pattern matches and no input before it stands for."""
        earlier = scope.patterns[: scope.patterns.index(self)]
        for found in self.matching(scope):
            anchor = _join(self.anchor, found.path)
            if anchor in scope.files or _is_below(anchor, scope.folders, scope.recursive):
                continue
            if any(pattern.takes(anchor, scope) for pattern in earlier):
                continue
            yield _entry(self.path, anchor, found, scope, self._is_image(found.path))

    def matching(self, scope: Scope) -> Iterator[Found]:
        """Yields everything that the pattern matches."""
        covers = globs.covers if scope.recursive else globs.matches

        def enter(folder: str) -> bool:
            parts = folder.split("/")
            return self._may_see(parts[-1]) and (
                globs.may_contain_matches(parts, self.parts) or covers(parts, self.parts)
            )

        for found in walk(self.path, enter=enter, exclude=scope.exclude):
            parts = found.path.split("/")
            if found.error or (self._may_see(parts[-1]) and covers(parts, self.parts)):
                yield found

    def takes(self, anchor: str, scope: Scope) -> bool:
        """Whether the pattern matches what lies at an anchor."""
        below = _join(self.anchor, "")
        covers = globs.covers if scope.recursive else globs.matches
        return anchor.startswith(below) and covers(anchor[len(below) :].split("/"), self.parts)

    def _may_see(self, name: str) -> bool:
        return not name.startswith(".") or any(part.startswith(".") for part in self.parts)

    def _is_image(self, path: str) -> bool:
        extension = PurePosixPath(self.parts[-1]).suffix
        by_extension = extension and not globs.has_magic(extension)
        if by_extension and globs.matches(path.split("/"), self.parts):
            return True
        return is_image_name(path.rpartition("/")[2])


@dataclass(frozen=True)
class ListInput:
    """A list of files, each an image whatever its extension.

    Attributes:
        paths: the list; nothing says that the files exist.
    """

    paths: DiskList

    def bases(self) -> Iterator[str]:
        """The folders of the files."""
        return (_parent(anchor_of(Path(path))) for path in self.paths)

    def find(self, scope: Scope) -> Iterator[ImageRef | LeftOut]:
        """Yields the files, those that are listed twice twice."""
        for path in map(Path, self.paths):
            yield ImageRef(path, scope.name(anchor_of(path)))


Input = FileInput | FolderInput | PatternInput | ListInput


def is_image_name(name: str) -> bool:
    """Whether a file is an image by its extension.

    Names that start with "._" are what macOS leaves beside the real files on foreign disks.
    """
    return name.lower().endswith(EXTENSIONS) and not name.startswith("._")


def anchor_of(path: Path) -> str:
    """Absolute POSIX path without "..", such that equal ones stand for the same file."""
    if path.name == "..":
        return Path(os.path.realpath(path)).as_posix()
    if ".." in path.parts:  # behind a link, ".." is not the folder that is written before it
        return (Path(os.path.realpath(path.parent)) / path.name).as_posix()
    return path.absolute().as_posix()


def _entry(
    root: Path, anchor: str, found: Found, scope: Scope, is_image: bool
) -> ImageRef | LeftOut:
    path = root / found.path
    if found.error is not None or not is_image:
        return LeftOut(path, found.error)
    return ImageRef(path, scope.name(anchor))


def _join(anchor: str, relative: str) -> str:
    return f"{anchor.rstrip('/')}/{relative}"


def _parent(anchor: str) -> str:
    return PurePosixPath(anchor).parent.as_posix()


def _is_below(anchor: str, folders: frozenset[str], recursive: bool) -> bool:
    """Whether an image lies in one of the folders, or with `recursive` at any depth below one."""
    parents = PurePosixPath(anchor).parents
    return any(str(parent) in folders for parent in parents[: None if recursive else 1])
