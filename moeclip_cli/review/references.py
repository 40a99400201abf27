"""A profile from the images that were labelled good, made in the background."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from moeclip_cli.checkpoints.builtin import BUILTIN_TOWERS, DEFAULT_TOWER
from moeclip_cli.choices import FALSE_ALARMS
from moeclip_cli.errors import UsageError
from moeclip_cli.review.whereabouts import whereabouts
from moeclip_cli.runs.finished_run import FinishedRun
from moeclip_cli.runs.input_log import InputRecord

if TYPE_CHECKING:
    from moeclip_cli.discovery.places import ImagePlace
    from moeclip_cli.inspection.profile import ReferenceProfile

_STEM, _SUFFIX = "profile", ".moeclip"


@dataclass(frozen=True)
class Progress:
    """How far a profile is.

    Attributes:
        state: "idle" before the first one.
        done: number of images that were read.
        total: number of images.
        profile: the finished file.
        text: origin of the threshold and guarantee, or why there is no profile.
    """

    state: Literal["idle", "working", "done", "failed"] = "idle"
    done: int = 0
    total: int = 0
    profile: str = ""
    text: str = ""


class StoppedError(Exception):
    """The server ends."""


class ReferenceMaker:
    """Makes one profile at a time. For the methods, any thread.

    Args:
        folder: where profiles are written.
        explain: the sentence about an exception.

    Attributes:
        progress: how far the latest profile is.
    """

    def __init__(self, folder: Path, explain: Callable[[BaseException], str]) -> None:
        self.progress = Progress()
        self._folder, self._explain = folder, explain
        self._lock = threading.Lock()
        self._stopping = False

    def start(self, run: FinishedRun, images: list[InputRecord | None]) -> None:
        """Begin a profile.

        Args:
            run: the run with its prompt and framing.
            images: the files of good parts when they were scored.

        Raises:
            UsageError: if there are too few, a profile is being made, or the run has several
                prompts.
        """
        if run.settings["prompt_rules"] is not None:
            raise UsageError(
                "A profile is for one product, but the prompts of this run are by rule."
            )
        if len(images) < 2:
            raise UsageError("Label two images of different good parts at least.")
        with self._lock:
            if self.progress.state == "working":
                raise UsageError("A profile is being made; wait for it.")
            self.progress = Progress("working", total=len(images))
        # The process may end while a model is loaded.
        threading.Thread(
            target=self._work, args=(run, images), name="moeclip-references", daemon=True
        ).start()

    def stop(self) -> None:
        """Begin no further image."""
        self._stopping = True

    def _work(self, run: FinishedRun, images: list[InputRecord | None]) -> None:
        try:
            made = reference_profile(run, images, self._advance)
            path = self._write(made)
        except Exception as error:  # noqa: BLE001 - the page is told
            self.progress = replace(self.progress, state="failed", text=self._explain(error))
            return
        text = f"Threshold {made.threshold:.4f} ({made.source}). {made.guarantee}"
        self.progress = replace(self.progress, state="done", profile=str(path), text=text)

    def _advance(self) -> None:
        if self._stopping:
            raise StoppedError("The server ends.")
        self.progress = replace(self.progress, done=self.progress.done + 1)

    def _write(self, made: ReferenceProfile) -> Path:
        """Write a profile under a name that is not in use: a line may need the others."""
        from moeclip_cli.runs.lock import WriterLock

        for number in count(1):
            name = _STEM if number == 1 else f"{_STEM}-{number}"
            path = self._folder / f"{name}{_SUFFIX}"
            if not path.exists():
                break
        with WriterLock.of_file(path, "folder"):
            made.write(path)
        return path


def reference_profile(
    run: FinishedRun, images: list[InputRecord | None], advance: Callable[[], None]
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
    from moeclip_cli.inspection.inspector import Inspector
    from moeclip_cli.inspection.layout import Layout
    from moeclip_cli.inspection.profile import calibrated, divided
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
