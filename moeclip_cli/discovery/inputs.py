"""Inputs that a user can name (file, folder, glob pattern, list) and the images they contain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from moeclip_cli.discovery import globs
from moeclip_cli.discovery.disk_list import DiskList
from moeclip_cli.discovery.extensions import is_picture_name
from moeclip_cli.discovery.places import ImagePlace, RemoteFile, anchor_of, place_of
from moeclip_cli.discovery.walk import WalkEntry, walk


@dataclass(frozen=True)
class ImageRef:
    """An image that a run has to read.

    Attributes:
        path: the user's input, joined with the path found below it; or another place of an image.
        name: POSIX path relative to the common folder of the inputs; output files mirror it.
            Two different files never have the same name.
    """

    path: ImagePlace
    name: str


@dataclass(frozen=True)
class SkippedPath:
    """A path below an input that is not scored.

    Attributes:
        path: the user's input, joined with the path found below it.
        reason: reason why the folder at `path` cannot be listed; None for a file without an image
            extension.
    """

    path: ImagePlace
    reason: str | None = None


@dataclass(frozen=True)
class Scope:
    """Context that the search below one input shares with the other inputs of the run.

    Attributes:
        base: anchor of the inputs' common folder; None if they are on several drives.
        files: anchors of the files that the user named.
        folders: anchors of the folders that the user named.
        patterns: glob patterns that the user named.
        recursive: True to search subfolders to any depth.
        exclude: folder to skip.
    """

    base: str | None
    files: frozenset[str]
    folders: frozenset[str]
    patterns: tuple[PatternInput, ...]
    recursive: bool
    exclude: Path | None

    def name(self, anchor: str) -> str:
        """Return the name of the image at an anchor."""
        if self.base is None:
            return anchor.replace(":", "").lstrip("/")
        return anchor[len(self.base) :].lstrip("/")


@dataclass(frozen=True)
class FileInput:
    """A file or a URL, which is read as an image regardless of its extension.

    Attributes:
        path: the user's input.
        anchor: absolute path, see `anchor_of`.
    """

    path: ImagePlace = field(compare=False)
    anchor: str

    def base_folders(self) -> Iterator[str]:
        """Yield the folder that the name is relative to if this is the only input."""
        yield _parent(self.anchor)

    def find(self, scope: Scope) -> Iterator[ImageRef | SkippedPath]:
        """Yield the file."""
        yield ImageRef(self.path, scope.name(self.anchor))


@dataclass(frozen=True)
class FolderInput:
    """A folder, which stands for the files below it that have the extension of a picture.

    Attributes:
        path: the user's input.
        anchor: absolute path, see `anchor_of`.
    """

    path: Path = field(compare=False)
    anchor: str

    def base_folders(self) -> Iterator[str]:
        """Yield the folder that names are relative to if this is the only input."""
        yield self.anchor

    def find(self, scope: Scope) -> Iterator[ImageRef | SkippedPath]:
        """Yield everything below the folder that the user has not named separately."""
        for entry in self._walk(scope):
            anchor = _join(self.anchor, entry.path)
            if anchor not in scope.files:
                is_image = is_picture_name(entry.path.rpartition("/")[2])
                yield _to_reference(self.path, anchor, entry, scope, is_image)

    def _walk(self, scope: Scope) -> Iterator[WalkEntry]:
        def enter(folder: str) -> bool:
            return scope.recursive and _join(self.anchor, folder) not in scope.folders

        return walk(self.path, enter=enter, exclude=scope.exclude)


@dataclass(frozen=True)
class PatternInput:
    """A glob pattern, which stands for the files it matches and the images in matched folders.

    Files need an image extension, unless the pattern itself ends in an extension: "*.dat" matches
    every .dat file. As in a shell, hidden files and folders are matched only by a pattern with a
    component that starts with a dot.

    Attributes:
        path: the leading part of the user's input that has no wildcards.
        anchor: absolute path of that part, see `anchor_of`.
        parts: components of the rest of the pattern.
    """

    path: Path = field(compare=False)
    anchor: str
    parts: tuple[str, ...]

    def base_folders(self) -> Iterator[str]:
        """Yield the folder that names are relative to if this is the only input."""
        yield self.anchor

    def find(self, scope: Scope) -> Iterator[ImageRef | SkippedPath]:
        """Yield everything that the pattern matches and that no earlier input contains."""
        earlier = scope.patterns[: scope.patterns.index(self)]
        for entry in self.matching(scope):
            anchor = _join(self.anchor, entry.path)
            if anchor in scope.files or _is_below(anchor, scope.folders, scope.recursive):
                continue
            if any(pattern.matches_anchor(anchor, scope) for pattern in earlier):
                continue
            yield _to_reference(self.path, anchor, entry, scope, self._is_image(entry.path))

    def matching(self, scope: Scope) -> Iterator[WalkEntry]:
        """Yield everything that the pattern matches."""
        covers = globs.covers if scope.recursive else globs.matches

        def enter(folder: str) -> bool:
            parts = folder.split("/")
            return self._is_visible(parts[-1]) and (
                globs.may_contain_matches(parts, self.parts) or covers(parts, self.parts)
            )

        for entry in walk(self.path, enter=enter, exclude=scope.exclude):
            parts = entry.path.split("/")
            if entry.error or (self._is_visible(parts[-1]) and covers(parts, self.parts)):
                yield entry

    def matches_anchor(self, anchor: str, scope: Scope) -> bool:
        """Return True if the pattern matches the file at an anchor."""
        below = _join(self.anchor, "")
        covers = globs.covers if scope.recursive else globs.matches
        return anchor.startswith(below) and covers(anchor[len(below) :].split("/"), self.parts)

    def _is_visible(self, name: str) -> bool:
        return not name.startswith(".") or any(part.startswith(".") for part in self.parts)

    def _is_image(self, path: str) -> bool:
        extension = PurePosixPath(self.parts[-1]).suffix
        by_extension = extension and not globs.has_magic(extension)
        if by_extension and globs.matches(path.split("/"), self.parts):
            return True
        return is_picture_name(path.rpartition("/")[2])


@dataclass(frozen=True)
class ListInput:
    """A list of files, each of which is read as an image regardless of its extension.

    Attributes:
        paths: paths or URLs of the files, which need not exist.
    """

    paths: DiskList

    def base_folders(self) -> Iterator[str]:
        """Yield the folders of the files."""
        return (_parent(anchor_of(place_of(path))) for path in self.paths)

    def find(self, scope: Scope) -> Iterator[ImageRef | SkippedPath]:
        """Yield the files, including repeated ones."""
        for path in map(place_of, self.paths):
            yield ImageRef(path, scope.name(anchor_of(path)))


@dataclass(frozen=True)
class RemoteFolderInput:
    """A folder at a URL, which stands for the files below it that have the extension of a picture.

    Attributes:
        anchor: see `anchor_of`.
        urls: of the files below it. They are listed once: servers take long for that.
    """

    anchor: str
    urls: DiskList = field(compare=False)

    def base_folders(self) -> Iterator[str]:
        """Yield the folder that names are relative to if this is the only input."""
        yield self.anchor

    def find(self, scope: Scope) -> Iterator[ImageRef | SkippedPath]:
        """Yield everything below the folder that the user has not named separately."""
        below = _join(self.anchor, "")
        inner = frozenset(folder for folder in scope.folders if folder.startswith(below))
        for file in map(RemoteFile, self.urls):
            anchor = anchor_of(file)
            if anchor in scope.files or _is_below(anchor, inner, scope.recursive):
                continue
            if is_picture_name(anchor.rpartition("/")[2]):
                yield ImageRef(file, scope.name(anchor))
            else:
                yield SkippedPath(file)


Input = FileInput | FolderInput | PatternInput | ListInput | RemoteFolderInput


def _to_reference(
    root: Path, anchor: str, entry: WalkEntry, scope: Scope, is_image: bool
) -> ImageRef | SkippedPath:
    path = root / entry.path
    if entry.error is not None or not is_image:
        return SkippedPath(path, entry.error)
    return ImageRef(path, scope.name(anchor))


def _join(anchor: str, relative: str) -> str:
    return f"{anchor.rstrip('/')}/{relative}"


def _parent(anchor: str) -> str:
    return PurePosixPath(anchor).parent.as_posix()


def _is_below(anchor: str, folders: frozenset[str], recursive: bool) -> bool:
    """Return True if an image is in one of the folders, or at any depth below with `recursive`."""
    parents = PurePosixPath(anchor).parents
    return any(str(parent) in folders for parent in parents[: None if recursive else 1])
