"""The program of the process that makes a profile, for the server that started it.

The request is one line of JSON on standard input: `folder`, the output folder of the run, and
`images`, the records of the images. Each reply is one line of JSON on standard output: `done`, the
number of images that are being read; at the end `profile`, the file, with its `threshold`, the
`rate` of false alarms, the number of `images` that both are from, and `left_out` if these are the
references, each left out in turn; or `error` and whether it was `expected`. Ctrl-C ends the
process, whatever a library is doing at the time.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moeclip_cli.checkpoints.builtin import BUILTIN_TOWERS, DEFAULT_TOWER
from moeclip_cli.choices import FALSE_ALARMS
from moeclip_cli.errors import MoeclipError
from moeclip_cli.review.whereabouts import whereabouts
from moeclip_cli.runs.finished_run import FinishedRun
from moeclip_cli.runs.input_log import InputRecord
from moeclip_cli.runs.lock import WriterLock

if TYPE_CHECKING:
    from moeclip_cli.discovery.places import ImagePlace
    from moeclip_cli.inspection.profile import ReferenceProfile

_STEM, _SUFFIX = "profile", ".moeclip"


def serve() -> None:
    """Make the profile that is asked for."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    request = json.loads(sys.stdin.readline())
    numbers = count(1)
    try:
        run = FinishedRun.open(Path(request["folder"]), unfinished=True)
        images = [InputRecord(**record) for record in request["images"]]
        made = reference_profile(run, images, lambda: _send(done=next(numbers)))
        path = _write(made, run.folder)
    except Exception as error:  # noqa: BLE001 - the server is told
        expected = isinstance(error, MoeclipError)
        _send(error=str(error) if expected else repr(error), expected=expected)
        return
    _send(
        profile=str(path),
        threshold=made.threshold,
        rate=made.false_alarms,
        images=made.images,
        left_out=made.rule == "jackknife+",
    )


def _send(**reply: Any) -> None:
    sys.stdout.write(f"{json.dumps(reply)}\n")
    sys.stdout.flush()


def _write(made: ReferenceProfile, folder: Path) -> Path:
    """Write a profile under a name that is not in use: a line may need the others."""
    names = (_STEM if number == 1 else f"{_STEM}-{number}" for number in count(1))
    path = next(path for name in names if not (path := folder / f"{name}{_SUFFIX}").exists())
    with WriterLock.of_file(path, "folder"):
        made.write(path)
    return path


def reference_profile(
    run: FinishedRun, images: list[InputRecord], advance: Callable[[], None]
) -> ReferenceProfile:
    """A profile as `moeclip calibrate --references` makes it from images of a run.

    Images are compared by the built-in tower, with the tiles, region and reference view of the
    run, and with its image size if it was compared by that tower, too.

    Args:
        run: the run.
        images: of good parts.
        advance: called before each image is read.

    Raises:
        UsageError: if there are too few different images, or one cannot be read.
        ModelError: if the model cannot be loaded.
    """
    # PyTorch takes seconds to import.
    from moeclip_cli.checkpoints.loading import load_model
    from moeclip_cli.inspection.division import divided
    from moeclip_cli.inspection.inspector import Inspector
    from moeclip_cli.inspection.layout import Layout
    from moeclip_cli.inspection.profile import calibrated
    from moeclip_cli.model.bank import KEPT_PATCHES

    def counted(paths: list[ImagePlace]) -> Iterator[ImagePlace]:
        for path in paths:
            advance()
            yield path

    settings = run.settings
    places = [whereabouts(run, image) for image in images]
    kept, others = divided(places, FALSE_ALARMS)
    inspector = Inspector(
        load_model(_tower(settings), image_size=_image_size(settings)),
        references=counted(kept),
        reference_rotations=settings.get("reference_rotations", 1),
        reference_patches=KEPT_PATCHES,
        max_pixels=settings["max_pixels"],
        layout=Layout.from_settings(settings),
    )
    references = inspector.references
    assert references is not None  # noqa: S101
    scores = list(references.scores)
    if others:
        results = inspector.score(counted(others), prompt=settings["prompt"])
        scores = [result.score for result in results if result.score is not None]
    return calibrated(
        references,
        scores,
        settings["prompt"],
        inspector.settings,
        "split" if others else "jackknife+",
        FALSE_ALARMS,
    )


def _tower(settings: dict[str, Any]) -> str:
    model: str = settings["model"]
    return model if model in BUILTIN_TOWERS else DEFAULT_TOWER


def _image_size(settings: dict[str, Any]) -> int | None:
    size: int | None = settings["image_size"] if settings["model"] in BUILTIN_TOWERS else None
    return size
