"""`moeclip verify`: whether an output folder has everything that its run wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moeclip_cli.checkpoints.formats import file_digest
from moeclip_cli.discovery.remote import state_of
from moeclip_cli.errors import ModelError, UsageError
from moeclip_cli.files import is_present, partial_files
from moeclip_cli.reports.tables.results_table import read_table, table_path
from moeclip_cli.reports.tables.text_index import TextIndex
from moeclip_cli.runs.image_files import FOLDERS, ImageFiles
from moeclip_cli.runs.input_log import INPUTS, InputRecord, read_records
from moeclip_cli.runs.kinds import MUTUAL
from moeclip_cli.runs.lock import is_locked
from moeclip_cli.runs.region_run import FIFTYONE
from moeclip_cli.runs.run_card import CARD, read_card

_EXAMPLES = 5


@dataclass
class Problem:
    """A kind of problem and where it was found.

    Attributes:
        description: the problem, in words.
        count: number of files or rows with it.
        examples: the first of them.
    """

    description: str
    count: int = 0
    examples: list[str] = field(default_factory=list)


@dataclass
class Verification:
    """What was found in an output folder.

    Attributes:
        counts: number of things that were checked and are complete, such as "rows".
        problems: by description.
    """

    counts: dict[str, int] = field(default_factory=dict)
    problems: dict[str, Problem] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """True if no problem was found."""
        return not self.problems

    def add(self, description: str, example: object) -> None:
        """Count a problem."""
        problem = self.problems.setdefault(description, Problem(description))
        problem.count += 1
        if len(problem.examples) < _EXAMPLES:
            problem.examples.append(str(example))


def verify(folder: Path, *, inputs: bool = True) -> Verification:
    """Check an output folder of `score`, `train` or `benchmark`.

    The run must be finished, and its files must have the digests on the run card. In a folder of
    `score`, rows are compared with the images, overlays and maps with the rows.

    Args:
        folder: the output folder.
        inputs: whether to check that the images still exist and have not changed since; those that
            `moeclip watch` has moved are not checked.

    Raises:
        UsageError: if the folder has no readable run card.
        MissingExtraError: if the results are in Parquet and pyarrow is not installed.
    """
    card = read_card(folder)
    if card is None:
        raise UsageError(
            f"{folder / CARD} is missing or damaged, so that the folder cannot be verified; check "
            "the path."
        )
    found = Verification()
    if is_locked(folder):
        found.add("a run is in progress", folder)
    elif card.get("state") != "finished":
        found.add("the run is unfinished", folder)
    _verify_digests(folder, card, found)
    for path in partial_files(folder, (*FOLDERS, FIFTYONE, MUTUAL)):
        found.add("temporary files of a killed run", path)
    settings = card.get("settings", {})
    if "table_format" in settings:
        _verify_rows(folder, card, found, inputs=inputs)
    return found


def _verify_digests(folder: Path, card: Mapping[str, Any], found: Verification) -> None:
    files = card.get("files", {})
    for name, digest in files.items():
        try:
            if file_digest(folder / name) != digest:
                found.add("files changed since the run finished", folder / name)
        except ModelError:
            found.add("files are missing or unreadable", folder / name)
    found.counts["files"] = len(files)


def _verify_rows(
    folder: Path, card: Mapping[str, Any], found: Verification, *, inputs: bool
) -> None:
    settings = card["settings"]
    if not is_present(table_path(folder, settings["table_format"])):
        return  # its digest is missing
    failed = 0

    def paths() -> Iterator[str]:
        nonlocal failed
        for row in read_table(folder, settings["table_format"]):
            failed += row.error is not None
            yield row.path

    try:
        rows = TextIndex(paths())
    except UsageError:
        found.add("the results table is damaged", table_path(folder, settings["table_format"]))
        return
    found.counts |= {"rows": len(rows), "unreadable": failed}
    expected = card.get("summary", {}).get("images", len(rows))
    if len(rows) != expected:
        found.add(f"{len(rows)} rows instead of {expected}", folder)
    if not is_present(folder / INPUTS):
        return
    files = ImageFiles.of(folder, settings)
    environment = card.get("environment", {})
    directory = Path(environment.get("directory", ""))
    inputs = inputs and "moved_to" not in environment
    logged = 0

    def expected_files() -> Iterator[str]:
        nonlocal logged
        for record in read_records(folder / INPUTS):
            logged += 1
            if rows.take(record.path) is None:
                found.add("images without a row", record.path)
            if inputs:
                _verify_input(record, directory, found)
            for path in files.missing([record]):
                found.add("overlays or maps are missing", path)
            if record.scored:
                yield from map(str, files.paths(record.name))

    written = TextIndex(expected_files())
    if logged < len(rows):
        found.add("rows without a record of their image", folder / INPUTS)
    for kind in FOLDERS:
        found.counts[kind] = 0
        for path in (folder / kind).rglob("*"):
            if path.is_file():
                found.counts[kind] += 1
                if str(path) not in written:
                    found.add("overlays or maps without a row", path)


def _verify_input(record: InputRecord, directory: Path, found: Verification) -> None:
    if not record.holds:
        return
    state = state_of(record.place(directory))
    if state is None:
        found.add("images are missing", record.path)
    elif state != (record.size, record.modified_ns):
        found.add("images changed since they were scored", record.path)
