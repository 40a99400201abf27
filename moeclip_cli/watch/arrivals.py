"""Pictures that arrive in a folder, each once, as soon as it is complete."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from moeclip_cli.discovery.extensions import is_picture_name
from moeclip_cli.files import size_and_time
from moeclip_cli.watch.listing import Listed, Listing, joined
from moeclip_cli.watch.picture import Picture, state_key
from moeclip_cli.watch.seen import Seen

DONE = ".done"

# Time of one poll for files that may have been overwritten in place.
_CHECK_SECONDS = 0.005


@dataclass
class _Growing:
    """A file that is not complete yet.

    Attributes:
        state: its size and modification time.
        since: when this state was first seen, on the monotonic clock.
        rest: seconds for which it must stay the same.
    """

    state: tuple[int, int]
    since: float
    rest: float


class Arrivals:
    """The pictures of a folder tree, as they become complete.

    A picture is complete if two polls in a row find the same size and modification time and, with
    `done_files`, a file `NAME.done` lies beside it, where NAME is its name with or without its
    extension. A file that is overwritten is a new picture.

    Args:
        root: the folder.
        exclude: folders below it to leave out.
        done_files: whether a picture needs a `.done` file.
        settle: seconds for which a picture must stay the same.
        seen: state keys of pictures that were inspected; the caller adds to it.

    Attributes:
        root: the folder.
        error: reason why a folder cannot be listed at the moment.
    """

    def __init__(
        self,
        root: Path,
        seen: Seen,
        *,
        exclude: Iterable[Path] = (),
        done_files: bool = False,
        settle: float = 0.0,
    ) -> None:
        self.error: str | None = None
        self.root, self._seen = root, seen
        self._listing = Listing(root, exclude)
        self._done_files, self._settle = done_files, settle
        # Folder -> file -> size and time.
        self._known: dict[str, dict[str, tuple[int, int]]] = {}
        self._done: dict[str, frozenset[str]] = {}
        self._growing: dict[str, _Growing] = {}
        self._round: Iterator[tuple[str, str]] = iter(())

    @property
    def incomplete(self) -> int:
        """Number of pictures that have arrived and are not complete."""
        return len(self._growing)

    def path(self, picture: Picture) -> Path:
        """The path of a picture, as the user named the folder."""
        return self.root / picture.name

    def poll(self) -> list[Picture]:
        """The pictures that have become complete since the last poll, oldest first."""
        complete = sorted(self._complete())
        self.error = None
        for listed in self._listing.changed():
            if listed.error is not None:
                self.error = f"{self.root / listed.folder}: {listed.error}"
            else:
                self._compare(listed)
        for gone in self._known.keys() - self._listing.folders:
            del self._known[gone], self._done[gone]
        self._check_for_overwritten()
        return complete

    def postpone(self, picture: Picture, seconds: float) -> None:
        """Yield a picture again when it has stayed the same for so long, or has changed."""
        state = (picture.size, picture.modified_ns)
        self._growing[picture.name] = _Growing(state, time.monotonic(), seconds)

    def forget(self, name: str) -> None:
        """Take a file that comes back, perhaps with a network share, for a new one."""
        folder, _, file = name.rpartition("/")
        self._growing.pop(name, None)
        self._known.get(folder, {}).pop(file, None)

    def leave_out(self) -> list[Picture]:
        """Leave out the pictures that are there and not complete yet; they are returned."""
        left_out = [Picture(time, name, size) for name, (size, time) in self._states()]
        self._growing.clear()
        return left_out

    def _states(self) -> Iterator[tuple[str, tuple[int, int]]]:
        return ((name, growing.state) for name, growing in self._growing.items())

    def _complete(self) -> Iterator[Picture]:
        """Take the pictures that have stayed the same."""
        now = time.monotonic()
        for name, growing in list(self._growing.items()):
            state = size_and_time(self.root / name)
            if state is None:
                self.forget(name)
            elif state != growing.state:
                self._growing[name] = _Growing(state, now, self._settle)
            elif now - growing.since >= growing.rest and self._is_done(name):
                del self._growing[name]
                folder, _, file = name.rpartition("/")
                self._known.setdefault(folder, {})[file] = state
                size, modified_ns = state
                yield Picture(modified_ns, name, size)

    def _is_done(self, name: str) -> bool:
        if not self._done_files:
            return True
        folder, _, file = name.rpartition("/")
        there = self._done.get(folder, frozenset())
        return any(done in there for done in done_names(file))

    def _compare(self, listed: Listed) -> None:
        """Notice the new files of a folder; files that were known are not looked at."""
        before = self._known.get(listed.folder, {})
        now = self._known[listed.folder] = {}
        for file in filter(is_picture_name, listed.files):
            name = joined(listed.folder, file)
            state = before.get(file) or size_and_time(self.root / name)
            if state is not None:
                now[file] = state
                if file not in before:
                    self._notice(name, state)
        self._done[listed.folder] = frozenset(
            file for file in listed.files if file.endswith(DONE) and self._done_files
        )

    def _check_for_overwritten(self) -> None:
        """Look at some of the known files; all of them in turn."""
        end = time.monotonic() + _CHECK_SECONDS
        for folder, file in self._round:
            name = joined(folder, file)
            state = size_and_time(self.root / name)
            known = self._known.get(folder, {})
            if state is not None and file in known and known[file] != state:
                known[file] = state
                self._notice(name, state)
            if time.monotonic() > end:
                return
        self._round = self._all_known()

    def _all_known(self) -> Iterator[tuple[str, str]]:
        for folder in list(self._known):
            yield from ((folder, file) for file in list(self._known.get(folder, ())))

    def _notice(self, name: str, state: tuple[int, int]) -> None:
        if name in self._growing:
            return
        picture = Picture(state[1], name, state[0])
        keys = (state_key(each, *state) for each in (name, picture.dated_name))
        if not any(key in self._seen for key in keys):
            self._growing[name] = _Growing(state, time.monotonic(), self._settle)


def done_names(file: str) -> tuple[str, str]:
    """The names that the `.done` file of a picture may have."""
    return f"{file}{DONE}", f"{PurePosixPath(file).stem}{DONE}"
