"""The output folder of a run: claimed once, never overwritten or resumed by accident."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moeclip_cli.checkpoints.builtin import same_scores
from moeclip_cli.checkpoints.formats import file_digest
from moeclip_cli.discovery.walk import OUTPUT_MARKER
from moeclip_cli.errors import ModelError, UsageError
from moeclip_cli.files import Closable, is_present, partial_files, write_errors
from moeclip_cli.inspection.setting_names import file_of, follows, label, shown
from moeclip_cli.runs.lock import WriterLock
from moeclip_cli.runs.run_card import CARD, RunCard, make_output_folder, read_card

# Settings named in a message; some follow from others.
_NAMED = 3


@dataclass(frozen=True)
class RunKind:
    """The output folders of one command.

    Attributes:
        noun: name of a run in messages, such as "training".
        setting: name of a setting that the run cards of no other command have.
        files: files that a run leaves, besides the run card.
        folders: folders that a run leaves.
        may_differ: settings that a resumed run may change.
        settings_file: file that repeats the settings of a run.
        how_to_resume: remedy in the refusal of a folder that could be resumed; empty if the
            command resumes automatically.
        needs_card: whether resuming and overwriting require the run card of an earlier run. If not,
            resuming an empty folder starts a run, and overwriting a folder without a card removes
            the files with these names, but no folders.
    """

    noun: str
    setting: str
    files: tuple[str, ...]
    folders: tuple[str, ...] = ()
    may_differ: tuple[str, ...] = ()
    settings_file: str = CARD
    how_to_resume: str = ""
    needs_card: bool = False


class RunFolder(Closable):
    """An output folder that a run has claimed: no other process writes to it until it is closed.

    Attributes:
        path: the folder.
        card: its run card.
        resumed: whether it has results of an earlier run that are kept.
    """

    def __init__(
        self, path: Path, kind: RunKind, card: RunCard, lock: WriterLock, *, resumed: bool
    ) -> None:
        self.path = path
        self.card = card
        self.resumed = resumed
        self._kind = kind
        self._lock = lock

    @classmethod
    def claim(
        cls,
        path: Path,
        kind: RunKind,
        settings: Mapping[str, Any],
        environment: Mapping[str, Any],
        *,
        overwrite: bool = False,
        resume: bool = False,
    ) -> RunFolder:
        """Claim `path` for a run.

        Args:
            path: the folder; made if missing.
            kind: the command's.
            settings: everything that decides the results; must be equal to resume.
            environment: versions, device and command line, for the card.
            overwrite: remove the results of an earlier run.
            resume: keep the results of an earlier run and continue it.

        Raises:
            UsageError: if another process is writing to the folder, if it has results that are
                neither resumed nor overwritten or belong to another command, if there is nothing
                to resume, or if the settings of the earlier run differ.
        """
        with ExitStack() as stack:
            if not is_present(path / OUTPUT_MARKER):
                # Refused before anything is written, the lock included.
                _check(path, kind, settings, overwrite=overwrite, resume=resume)
                make_output_folder(path)
            lock = stack.enter_context(WriterLock.of_folder(path))
            earlier = _check(path, kind, settings, overwrite=overwrite, resume=resume)
            resumed = resume and earlier is not None
            if overwrite and not resumed:
                _remove(path, kind.files, kind.folders if earlier is not None else ())
            remove_partial_files(path, kind.folders)
            card = RunCard(path, settings, environment)
            stack.pop_all()
        return cls(path, kind, card, lock, resumed=resumed)

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Record on the run card that the run is complete, with digests of its files.

        Args:
            summary: counts, for the card.

        Raises:
            UsageError: if the folder was removed during the run, or cannot be written.
        """
        self._lock.require_held()
        self.card.finish(summary, file_digests(self.path, self._kind))

    def close(self) -> None:
        """Let other processes write to the folder. Closing it twice is harmless."""
        self._lock.close()


def require_usable(path: Path, kind: RunKind, *, overwrite: bool, resume: bool) -> None:
    """Refuse a folder that `RunFolder.claim` would refuse whatever the settings are.

    A command can ask before it loads a model. The folder is not claimed.

    Raises:
        UsageError: see `RunFolder.claim`.
    """
    with ExitStack() as stack:
        if is_present(path / OUTPUT_MARKER):
            stack.enter_context(WriterLock.of_folder(path))
        _check(path, kind, None, overwrite=overwrite, resume=resume)


def file_digests(path: Path, kind: RunKind) -> dict[str, str]:
    """SHA-256 of the files of a run that exist, by name.

    Args:
        path: the output folder.
        kind: the command's.

    Raises:
        UsageError: if one cannot be read.
    """
    with write_errors(path):
        found = [name for name in kind.files if (path / name).exists()]
    return {name: _digest(path / name) for name in found}


def _digest(path: Path) -> str:
    try:
        return file_digest(path)
    except ModelError as error:
        raise UsageError(f"{error} Check the disk, and run the command again.") from error


def _check(
    path: Path, kind: RunKind, settings: Mapping[str, Any] | None, *, overwrite: bool, resume: bool
) -> Mapping[str, Any] | None:
    """The settings of the earlier run, if the folder may be resumed, overwritten or begun.

    Without `settings`, a run that is resumed may have any.
    """
    with write_errors(path):
        card = read_card(path)
        earlier = _settings_of(card, kind)
        if resume and earlier is not None:
            if settings is not None:
                _require_equal(path, kind, earlier, settings)
        elif resume and not overwrite and card is None and _has_results(path, kind):
            replacing_it = "" if kind.needs_card else "use `overwrite` to replace the results, or "
            raise UsageError(
                f"{path / CARD} is missing or damaged, so that the {kind.noun} cannot be resumed; "
                f"{replacing_it}choose another `out`."
            )
        elif resume and kind.needs_card:
            raise UsageError(
                f"There is no {kind.noun} in {path} to resume. Leave out `resume`, or check `out`."
            )
        elif not overwrite or (earlier is None and (card is not None or kind.needs_card)):
            _require_free(path, kind, card)
    return earlier


def _has_results(path: Path, kind: RunKind) -> bool:
    return any((path / name).exists() for name in (CARD, *kind.files, *kind.folders))


def remove_partial_files(path: Path, folders: Iterable[str]) -> None:
    """Remove the temporary files that killed runs left in an output folder.

    Args:
        path: the output folder.
        folders: names of its subfolders with files of runs.

    Raises:
        UsageError: if one cannot be removed.
    """
    with write_errors(path):
        for file in partial_files(path, folders):
            file.unlink(missing_ok=True)


def _settings_of(card: Mapping[str, Any] | None, kind: RunKind) -> Mapping[str, Any] | None:
    """The settings of an earlier run of this kind."""
    settings = None if card is None else card.get("settings")
    return settings if isinstance(settings, dict) and kind.setting in settings else None


def _require_free(path: Path, kind: RunKind, card: Mapping[str, Any] | None) -> None:
    if card is None:
        if _has_results(path, kind):
            remedy = "" if kind.needs_card else "use `overwrite` to replace them, or "
            raise UsageError(
                f"{path} contains files that a {kind.noun} would overwrite; {remedy}choose "
                "another `out`."
            )
        return
    if _settings_of(card, kind) is None:
        raise UsageError(f"{path} contains results of another command; choose another `out`.")
    state = "a finished" if card.get("state") == "finished" else "an unfinished"
    resume = f"{kind.how_to_resume}, " if kind.how_to_resume else ""
    raise UsageError(
        f"{path} contains {state} {kind.noun}; use {resume}`overwrite` to replace it, or choose "
        "another `out`."
    )


def _require_equal(
    path: Path, kind: RunKind, before: Mapping[str, Any], settings: Mapping[str, Any]
) -> None:
    old = dict(_leaves(before))
    new = dict(_leaves(json.loads(json.dumps(settings))))  # in the types of the card
    keys = [
        names
        for names in sorted(old.keys() | new.keys(), key=lambda each: (follows(each[-1]), each))
        if not same_scores(old.get(names), new.get(names)) and names[-1] not in kind.may_differ
    ]
    different = [
        f"{label(names[-1])} was {_told(names, old)}, now it is {_told(names, new)}"
        for names in keys
        if (*names[:-1], file_of(names[-1])) not in keys  # the names of the files differ, too
    ]
    if different:
        raise UsageError(
            f"The {kind.noun} in {path} cannot be resumed: its {'; its '.join(different[:_NAMED])}."
            f" Use the settings in {path / kind.settings_file}, `overwrite`, or another `out`."
        )


def _told(names: tuple[str, ...], leaves: Mapping[tuple[str, ...], Any]) -> str:
    """The value of a setting, with the settings beside it."""
    beside = {each[-1]: value for each, value in leaves.items() if each[:-1] == names[:-1]}
    return shown(names[-1], beside)


def _leaves(
    settings: Mapping[str, Any], above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every setting under its own name and those of the records around it."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*above, name))
        else:
            yield (*above, name), value


def _remove(path: Path, files: tuple[str, ...], folders: tuple[str, ...] = ()) -> None:
    with write_errors(path):
        for name in files:
            (path / name).unlink(missing_ok=True)
        for name in folders:
            if (path / name).is_dir():
                shutil.rmtree(path / name)
