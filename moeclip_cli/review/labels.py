"""`labels.csv`: what people say about the images of a run.

The file is a journal: each label is a line at its end, and the last line of a path counts. An empty
label takes the one before back. A path is written as in `results.csv`.
"""

from __future__ import annotations

import csv
import io
import threading
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal, get_args

from moeclip_cli.errors import UsageError
from moeclip_cli.files import AppendedFile, Closable, is_present, write_errors
from moeclip_cli.reports.tables.cells import readable
from moeclip_cli.reports.tables.control_characters import escape_controls, unescape_controls
from moeclip_cli.reports.tables.spreadsheet import escape_formula, unescape_formula
from moeclip_cli.runs.lock import WriterLock

FILE = "labels.csv"
_COLUMNS = ["path", "label", "time"]
_HEADER = ",".join(_COLUMNS).encode() + b"\r\n"

Label = Literal["", "good", "bad", "unsure"]
"""What a person says about an image; "" for nothing."""

LABELS: tuple[Label, ...] = get_args(Label)


class ChangedError(Exception):
    """The label is not the one that was to be replaced.

    Attributes:
        label: the one that the image has.
    """

    def __init__(self, label: Label) -> None:
        super().__init__(label)
        self.label = label


class LabelJournal(Closable):
    """The labels of the images of a run; the only writer of their file. Thread-safe.

    A line that a killed process has left incomplete is removed.

    Args:
        folder: the output folder of the run.

    Attributes:
        path: the file.

    Raises:
        UsageError: if another process writes the file, it cannot be written, or has other content.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._mutex = threading.Lock()
        self._labels: dict[str, Label] = {}
        self._order: list[str] = []
        self._writer = WriterLock.of_file(self.path, "folder")
        try:
            content = b""
            if is_present(self.path, "folder"):
                with write_errors(self.path, "folder"):
                    content = self.path.read_bytes()
            kept, missing_end = self._read(content)
            self._file = AppendedFile(self.path, keep=kept)
            if missing_end:
                self._file.append(missing_end)
        except BaseException:
            self._writer.close()
            raise

    @property
    def revision(self) -> int:
        """The number of labels that were ever given."""
        with self._mutex:
            return len(self._order)

    def label(self, path: str) -> Label:
        """The label of an image."""
        with self._mutex:
            return self._labels.get(readable(path), "")

    def since(self, revision: int) -> tuple[dict[str, Label], int]:
        """The labels that were given after a revision, by readable path, and the revision now."""
        with self._mutex:
            changed = dict.fromkeys(self._order[max(0, revision) :])
            return {path: self._labels.get(path, "") for path in changed}, len(self._order)

    def give(self, path: str, label: Label, was: Label | None = None) -> None:
        """Label an image. When this returns, the label is on the disk.

        Args:
            path: of the image, as its row has it.
            label: the label; "" to take the one before back.
            was: the label that is to be replaced; None for any.

        Raises:
            ChangedError: if the image has another label than `was`; nothing is written.
            UsageError: if the file cannot be written, or was removed; the label is not given.
        """
        with self._mutex:
            key = readable(path)
            now = self._labels.get(key, "")
            if was is not None and was != now:
                raise ChangedError(now)
            self._file.append(_line(path, label))
            self._file.sync()
            self._note(key, label)

    def close(self) -> None:
        """Let other processes write the file. Closing it twice is harmless."""
        try:
            self._file.close()
        finally:
            self._writer.close()

    def _note(self, path: str, label: Label) -> None:
        self._labels[path] = label
        self._order.append(path)

    def _read(self, content: bytes) -> tuple[int, bytes]:
        """Take the labels of a file.

        Returns:
            The number of its bytes to keep, and what is missing behind them.
        """
        lines = content.splitlines(keepends=True)
        if not lines or (len(lines) == 1 and _HEADER.startswith(lines[0])):
            return 0, _HEADER
        if not _is_header(lines[0]):
            raise UsageError(
                f"{self.path} is not a file of labels: its first line is not path,label,time. "
                "Move it to another folder."
            )
        kept = len(lines[0])
        for number, line in enumerate(lines[1:], start=2):
            whole = line.endswith((b"\n", b"\r"))
            try:
                path, label = _entry(line)
            except ValueError as error:
                if not whole:  # of a process that was killed
                    return kept, b""
                raise UsageError(
                    f"Line {number} of {self.path} is not a label; correct or remove it."
                ) from error
            self._note(path, label)
            kept += len(line)
        return kept, b"" if lines[-1].endswith((b"\n", b"\r")) else b"\r\n"


def _line(path: str, label: Label) -> bytes:
    text = io.StringIO(newline="")
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    csv.writer(text, lineterminator="\r\n").writerow(
        [escape_controls(escape_formula(path)), label, now]
    )
    return text.getvalue().encode()


def _is_header(line: bytes) -> bool:
    try:
        return _cells(line) == _COLUMNS
    except ValueError:
        return False


def _cells(line: bytes) -> list[str]:
    try:
        rows = list(csv.reader([line.decode("utf-8-sig")], strict=True))
    except csv.Error as error:
        raise ValueError(str(error)) from error
    return rows[0] if rows else []


def _entry(line: bytes) -> tuple[str, Label]:
    """The readable path and the label of a line.

    Raises:
        ValueError: if it has none.
    """
    path, label, time = _cells(line)
    datetime.fromisoformat(time)
    for known in LABELS:
        if label == known:
            return readable(unescape_formula(unescape_controls(path))), known
    raise ValueError("no such label")
