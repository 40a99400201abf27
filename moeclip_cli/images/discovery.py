"""Finding images: what a user wrote -> image references, in order, as often as wanted.

Nothing is kept for an image: every iteration walks the folders anew, and names are made from paths
alone, so that a million files need no more memory than one.
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

from moeclip_cli.errors import UsageError
from moeclip_cli.images import globs
from moeclip_cli.images.inputs import (
    FileInput,
    FolderInput,
    ImageRef,
    Input,
    LeftOut,
    ListInput,
    PatternInput,
    Scope,
    anchor_of,
)
from moeclip_cli.images.path_list import read_path_list

STANDARD_INPUT = "-"

_COMPARED = 5000  # names that are compared with a mistyped one


@dataclass(frozen=True)
class Tally:
    """What a run meets: images, files that are none by extension, folders without access."""

    images: int
    other_files: int
    unreadable_folders: int


class ImageSource:
    """The images of a run; made by `find_images`.

    Iterating yields each `ImageRef` in input order and can be done any number of times.
    """

    def __init__(self, inputs: Sequence[Input], scope: Scope) -> None:
        self._inputs = inputs
        self._scope = scope

    def __iter__(self) -> Iterator[ImageRef]:
        return (entry for entry in self._entries() if isinstance(entry, ImageRef))

    def left_out(self) -> Iterator[LeftOut]:
        """What is not scored: files that are no images by extension, folders without access."""
        return (entry for entry in self._entries() if isinstance(entry, LeftOut))

    def count(self) -> int:
        """Number of images; walks all inputs once."""
        return self.tally().images

    def tally(self) -> Tally:
        """Number of images and of what is left out; walks all inputs once."""
        images = files = folders = 0
        for entry in self._entries():
            if isinstance(entry, ImageRef):
                images += 1
            elif entry.reason is None:
                files += 1
            else:
                folders += 1
        return Tally(images, files, folders)

    def _entries(self) -> Iterator[ImageRef | LeftOut]:
        for item in self._inputs:
            yield from item.find(self._scope)


def find_images(
    inputs: Sequence[str],
    *,
    recursive: bool = True,
    stdin: TextIO | None = None,
    exclude: Path | None = None,
) -> ImageSource:
    """Finds the images that a user names.

    An input is a file (an image whatever its extension), a folder, a glob pattern in which `**` is
    any depth (unless something of that very name exists), or "-" for a list of files on standard
    input, one a line. What several inputs stand for is yielded once; lines of a list are taken as
    they come.

    Args:
        inputs: what the user wrote.
        recursive: whether folders are searched to any depth.
        stdin: what "-" reads; standard input by default.
        exclude: the output folder; the images in it are results.

    Raises:
        UsageError: if an input does not exist, a pattern matches nothing, or there are no images.
    """
    if not inputs:
        raise UsageError("Nothing was named; name an image, a folder or a glob pattern.")
    entered = list(dict.fromkeys(_enter(text, stdin) for text in inputs))
    scope = Scope(
        base=_common_folder(base for item in entered for base in item.bases()),
        files=frozenset(item.anchor for item in entered if isinstance(item, FileInput)),
        folders=frozenset(item.anchor for item in entered if isinstance(item, FolderInput)),
        patterns=tuple(item for item in entered if isinstance(item, PatternInput)),
        recursive=recursive,
        exclude=exclude,
    )
    _check(entered, scope)
    source = ImageSource(entered, scope)
    if next(iter(source), None) is None:
        raise UsageError(_no_images(source, inputs, recursive))
    return source


def _check(entered: Sequence[Input], scope: Scope) -> None:
    """Refuses inputs that cannot work together, and patterns that match nothing."""
    for item in entered:
        if isinstance(item, FolderInput) and _is_same(item.path, scope.exclude):
            raise UsageError(
                f"{item.path} is both input and output; write the results elsewhere with --out."
            )
        if isinstance(item, PatternInput) and next(item.matching(scope), None) is None:
            raise UsageError(
                f"Nothing matches {item.path.joinpath(*item.parts)}; check the pattern, and quote "
                "it so that the shell passes it on as it is."
            )


def _is_same(folder: Path, other: Path | None) -> bool:
    return other is not None and other.exists() and folder.samefile(other)


def _enter(text: str, stdin: TextIO | None) -> Input:
    """What one argument stands for."""
    if text == STANDARD_INPUT:
        return ListInput(read_path_list(stdin or sys.stdin))
    if not text:
        raise UsageError("An input is empty; name an image, a folder or a glob pattern.")
    path = Path(text)
    try:
        if path.is_dir():
            return FolderInput(path, anchor_of(path))
        if os.path.lexists(path):  # a broken link is an image that cannot be read
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


def _pattern(path: Path) -> PatternInput:
    """Splits a pattern where its first wildcard is."""
    start = next(i for i, part in enumerate(path.parts) if globs.has_magic(part))
    root = Path(*path.parts[:start])
    if not root.is_dir():
        raise UsageError(_not_found(root))
    return PatternInput(root, anchor_of(root), path.parts[start:])


def _not_found(path: Path) -> str:
    """Says that there is no such path, and what may have been meant."""
    missing = path
    while not missing.parent.is_dir() and missing != missing.parent:
        missing = missing.parent
    hint = f"check the spelling, and the current folder, which is {Path.cwd()}."
    try:
        names = [entry.name for entry in islice(missing.parent.iterdir(), _COMPARED)]
    except OSError:
        names = []
    for name in difflib.get_close_matches(missing.name, names, n=1):
        hint = f"did you mean {missing.parent / name}?"
    return f"There is no file or folder {path}; {hint}"


def _no_images(source: ImageSource, inputs: Sequence[str], recursive: bool) -> str:
    if STANDARD_INPUT in inputs:
        return "No paths came on standard input; list the images, one a line."
    for entry in source.left_out():
        if entry.reason is not None:
            return f"There are no images; the folder {entry.path} cannot be read: {entry.reason}."
    others = source.tally().other_files
    if others:
        files = "is 1 other file; name it" if others == 1 else f"are {others} other files; name one"
        hint = f"there {files} to have it read whatever its extension"
    else:
        hint = "the folder is empty" if recursive else "leave out --no-recursive to search deeper"
    return f"There are no images in {', '.join(inputs)}; {hint}."


def _common_folder(folders: Iterable[str]) -> str | None:
    """The deepest folder that holds all of these absolute POSIX paths, if there is one."""
    common: str | None = None
    for folder in folders:
        if common is None:
            common = folder
        elif not f"{folder}/".startswith(f"{common.rstrip('/')}/"):
            try:
                common = Path(os.path.commonpath([common, folder])).as_posix()
            except ValueError:  # on different drives
                return None
    return common
