"""Image sources: the user's inputs as image references, in order, any number of times.

No image is kept in memory: every iteration walks the folders again, and names are derived from
paths alone, so that a million files need no more memory than one.
"""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO

from moeclip_cli.discovery import globs
from moeclip_cli.discovery.disk_list import DiskList
from moeclip_cli.discovery.inputs import (
    FileInput,
    FolderInput,
    ImageRef,
    Input,
    ListInput,
    PatternInput,
    RemoteFolderInput,
    Scope,
    SkippedPath,
)
from moeclip_cli.discovery.path_list import read_path_list
from moeclip_cli.discovery.places import RemoteFile, anchor_of, is_url, shown_url
from moeclip_cli.discovery.remote import files_below, is_folder
from moeclip_cli.errors import UsageError

STANDARD_INPUT = "-"

_MAX_COMPARED_NAMES = 5000
"""Number of existing names that a mistyped name is compared with."""


@dataclass(frozen=True)
class SourceCounts:
    """Number of images, of files without an image extension, and of unreadable folders."""

    images: int
    other_files: int
    unreadable_folders: int


class ImageSource:
    """The images of a run, as returned by `find_images`.

    Iteration yields each `ImageRef` in input order and may be repeated any number of times.
    """

    def __init__(self, inputs: Sequence[Input], scope: Scope) -> None:
        self._inputs = inputs
        self._scope = scope

    def __iter__(self) -> Iterator[ImageRef]:
        return (entry for entry in self._entries() if isinstance(entry, ImageRef))

    def skipped(self) -> Iterator[SkippedPath]:
        """Yield files without an image extension and unreadable folders, which are not scored."""
        return (entry for entry in self._entries() if isinstance(entry, SkippedPath))

    def counts(self) -> SourceCounts:
        """Count images and skipped paths by walking all inputs once."""
        images = files = folders = 0
        for entry in self._entries():
            if isinstance(entry, ImageRef):
                images += 1
            elif entry.reason is None:
                files += 1
            else:
                folders += 1
        return SourceCounts(images, files, folders)

    def _entries(self) -> Iterator[ImageRef | SkippedPath]:
        for item in self._inputs:
            yield from item.find(self._scope)


def find_images(
    inputs: Sequence[str],
    *,
    recursive: bool = True,
    stdin: TextIO | None = None,
    exclude: Path | None = None,
) -> ImageSource:
    """Find the images that a user names.

    An input is a file (read as an image regardless of its extension), a folder, a glob pattern in
    which `**` matches any depth (unless a file or folder of exactly that name exists), a URL of a
    file or folder, or "-" for a list of files on standard input, one per line. An image that
    several inputs contain is yielded once; the lines of a list are not deduplicated.

    Args:
        inputs: the user's inputs.
        recursive: True to search subfolders to any depth.
        stdin: the stream that "-" reads; standard input by default.
        exclude: the output folder, whose images are results and are skipped.

    Raises:
        UsageError: if an input does not exist, a pattern matches nothing, or no image is found.
        MissingExtraError: if a URL needs a package that is not installed.
    """
    if not inputs:
        raise UsageError("No input was given; name an image, a folder or a glob pattern.")
    parsed = list(dict.fromkeys(_parse_input(text, stdin, recursive) for text in inputs))
    scope = Scope(
        base=_common_folder(base for item in parsed for base in item.base_folders()),
        files=frozenset(item.anchor for item in parsed if isinstance(item, FileInput)),
        folders=frozenset(
            item.anchor for item in parsed if isinstance(item, FolderInput | RemoteFolderInput)
        ),
        patterns=tuple(item for item in parsed if isinstance(item, PatternInput)),
        recursive=recursive,
        exclude=exclude,
    )
    _check(parsed, scope)
    source = ImageSource(parsed, scope)
    if next(iter(source), None) is None:
        raise UsageError(_no_images(source, inputs, recursive))
    return source


def _check(parsed: Sequence[Input], scope: Scope) -> None:
    """Raise if an input is also the output folder or a pattern matches nothing."""
    for item in parsed:
        if isinstance(item, FolderInput) and _is_same(item.path, scope.exclude):
            raise UsageError(
                f"{item.path} is both the input and the output folder; choose another `out`."
            )
        if isinstance(item, PatternInput) and next(item.matching(scope), None) is None:
            raise UsageError(
                f"No file matches {item.path.joinpath(*item.parts)}; check the pattern, and quote "
                "it to keep the shell from expanding it."
            )


def _is_same(folder: Path, other: Path | None) -> bool:
    try:
        return other is not None and folder.samefile(other)
    except OSError:  # it does not exist, or cannot be reached
        return False


def _parse_input(text: str, stdin: TextIO | None, recursive: bool) -> Input:
    """Return the input that one argument describes."""
    if text == STANDARD_INPUT:
        return ListInput(read_path_list(stdin or sys.stdin))
    if not text:
        raise UsageError("An input is an empty string; name an image, a folder or a glob pattern.")
    if is_url(text):
        return _remote(RemoteFile(text), recursive)
    path = Path(text)
    try:
        if path.is_dir():
            return FolderInput(path, anchor_of(path))
        if os.path.lexists(path):  # a broken link counts as an unreadable image
            return FileInput(path, anchor_of(path))
        if globs.has_magic(text):
            return _pattern(path)
        path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(_not_found(path)) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"{text} cannot be opened: {reason}.") from error
    return FileInput(path, anchor_of(path))


def _remote(file: RemoteFile, recursive: bool) -> Input:
    if not is_folder(file):
        return FileInput(file, anchor_of(file))
    return RemoteFolderInput(
        anchor_of(RemoteFile(file.url.rstrip("/"))),
        DiskList(files_below(file, recursive=recursive)),
    )


def _pattern(path: Path) -> PatternInput:
    """Split a pattern before the component that has the first wildcard."""
    start = next(i for i, part in enumerate(path.parts) if globs.has_magic(part))
    root = Path(*path.parts[:start])
    if not root.is_dir():
        raise UsageError(_not_found(root))
    return PatternInput(root, anchor_of(root), path.parts[start:])


def _not_found(path: Path) -> str:
    """Return the error message for a path that does not exist, with a suggestion."""
    missing = path
    while not missing.parent.is_dir() and missing != missing.parent:
        missing = missing.parent
    hint = f"check the spelling and the current folder ({Path.cwd()})."
    try:
        names = [entry.name for entry in islice(missing.parent.iterdir(), _MAX_COMPARED_NAMES)]
    except OSError:
        names = []
    for name in difflib.get_close_matches(missing.name, names, n=1):
        hint = f"did you mean {missing.parent / name}?"
    return f"File or folder not found: {path}; {hint}"


def _no_images(source: ImageSource, inputs: Sequence[str], recursive: bool) -> str:
    if STANDARD_INPUT in inputs:
        return "Standard input contains no paths; list the images, one per line."
    for entry in source.skipped():
        if entry.reason is not None:
            return f"No images found; the folder {entry.path} cannot be read: {entry.reason}."
    count = source.counts().other_files
    if count:
        files = "1 file was" if count == 1 else f"{count} files were"
        hint = f"{files} skipped for lack of an image extension; name a file directly to read it"
    elif recursive:
        hint = "the folder is empty"
    else:
        hint = "subfolders were not searched; set `recursive` to search them"
    named = ", ".join(shown_url(text) if is_url(text) else text for text in inputs)
    return f"No images found in {named}: {hint}."


def _common_folder(folders: Iterable[str]) -> str | None:
    """Return the deepest folder that contains all of these absolute POSIX paths, if any."""
    common: str | None = None
    for folder in folders:
        if common is None:
            common = folder
        elif not f"{folder}/".startswith(f"{common.rstrip('/')}/"):
            try:
                shared = os.path.commonpath([common, folder])
            except ValueError:  # on different drives, or one at a URL
                return None
            if not shared:  # at URLs of different kinds
                return None
            common = Path(shared).as_posix()
    return common
