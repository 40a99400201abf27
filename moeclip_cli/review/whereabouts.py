"""Where the file of an image is now."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from moeclip_cli.discovery.places import ImagePlace
from moeclip_cli.discovery.remote import state_of
from moeclip_cli.errors import ImageError
from moeclip_cli.runs.finished_run import FinishedRun
from moeclip_cli.runs.input_log import InputRecord
from moeclip_cli.watch.actions import FOLDERS, UNREADABLE
from moeclip_cli.watch.picture import Picture


def whereabouts(run: FinishedRun, record: InputRecord | None) -> ImagePlace:
    """The place of the image that was scored, also if `moeclip watch --move` has moved it.

    Args:
        run: the run.
        record: the state of the file when it was scored; None if the run has not noted it.

    Raises:
        ImageError: if it is not there, or another file is.
    """
    if record is None:
        raise ImageError("The run has not noted which file this is; finish it with --resume.")
    place = run.image(record)
    if not record.holds or state_of(place) == (record.size, record.modified_ns):
        return place
    for moved in _moved(run, record):
        if state_of(moved) == (record.size, record.modified_ns):
            return moved
    raise ImageError(f"{record.path} is missing or has changed since it was scored.")


def _moved(run: FinishedRun, record: InputRecord) -> Iterator[Path]:
    """Where a watch may have moved a picture."""
    folder = run.environment.get("moved_to")
    if folder is None:
        return
    picture = Picture(record.modified_ns or 0, record.name, record.size or 0)
    for kind in (*FOLDERS.values(), UNREADABLE):
        for name in (picture.name, picture.dated_name):
            yield Path(run.environment.get("directory", ""), folder, kind, name)
