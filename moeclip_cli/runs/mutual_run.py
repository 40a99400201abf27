"""`moeclip score --mutual`: the comparison of all images, before the rows are written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.checkpoints.loading import LoadedModel
from moeclip_cli.discovery.inputs import ImageRef
from moeclip_cli.discovery.places import ImagePlace
from moeclip_cli.discovery.remote import states_of
from moeclip_cli.inspection.compared_image import ComparedImage
from moeclip_cli.inspection.good_scores import GoodScores
from moeclip_cli.inspection.mutual import MutualInspector
from moeclip_cli.inspection.result import Result
from moeclip_cli.inspection.subsets import subsets
from moeclip_cli.inspection.thresholds import AppliedThreshold
from moeclip_cli.runs.folder import RunFolder
from moeclip_cli.runs.input_log import InputRecord, page_of
from moeclip_cli.runs.mutual_store import FileState, SubsetFiles
from moeclip_cli.runs.stream import Pace


@dataclass(frozen=True)
class Forecast:
    """What is ahead of a comparison.

    Attributes:
        seconds: about how long it will take.
        images: number of images that are to be compared.
        subsets: number of their subsets.
        largest: number of images of the largest one.
    """

    seconds: float
    images: int
    subsets: int
    largest: int


@dataclass(frozen=True)
class Watch:
    """Functions that follow a comparison.

    Attributes:
        progress: called with an activity, how much of how much of it is done, the number of the
            subset and the number of all subsets.
        forecast: called before the comparison; None if no forecast is wanted.
        remark: called with a sentence about subsets of an earlier run that are not kept.
    """

    progress: Callable[[str, int, int, int, int], None] = lambda *position: None
    forecast: Callable[[Forecast], None] | None = None
    remark: Callable[[str], None] = lambda sentence: None


class ComparedFolder:
    """Compared images, from which a run takes its results in place of a network pass.

    Args:
        inspector: compared the images.
        images: for each path, the image and the state of its file before it was read.
        digest: of everything that the comparison gave.

    Attributes:
        threshold: of all images.
    """

    def __init__(
        self,
        inspector: MutualInspector,
        images: dict[str, tuple[ComparedImage, FileState]],
        digest: str,
    ) -> None:
        self._inspector = inspector
        self._images = images
        self._digest = digest
        self.threshold: AppliedThreshold = inspector.threshold_of(
            [image for image, _ in images.values()]
        )

    @property
    def model(self) -> LoadedModel:
        """The model and its name in tables."""
        return self._inspector.model

    @property
    def device_name(self) -> str:
        """Device of the network in words."""
        return self._inspector.device_name

    @property
    def good_scores(self) -> GoodScores:
        """None: no image is known to be good."""
        return GoodScores()

    def read_pixels(self, path: ImagePlace) -> NDArray[np.uint8]:
        """Decode an image, (H, W, 3) uint8 RGB.

        Raises:
            ImageError: if the file cannot be read or exceeds a limit.
        """
        return self._inspector.read_pixels(path)

    def score(
        self,
        images: Iterable[ImagePlace],
        *,
        prompt: Callable[..., str],
        batch_size: int | None = None,
        workers: int | None = None,
        experts_layer: int | None = None,
        ends_batch: Callable[[], bool] | None = None,
    ) -> Iterator[Result]:
        """Yield the result of each image, in order; see `Inspector.score`."""
        for path in images:
            image, _ = self._images[str(path)]
            yield self._inspector.result(image, prompt(path), self.threshold)

    def describe(self, batch: Sequence[ImageRef]) -> list[InputRecord]:
        """The records of images, in which everything that was compared is one batch."""
        found = []
        for ref in batch:
            size, time = self._images[str(ref.path)][1] or (None, None)
            record = InputRecord(str(ref.path), ref.name, size, time, True, self._digest)
            found.append(replace(record, page=page_of(ref)))
        return found


def compare_folder(
    inspector: MutualInspector,
    refs: Iterable[ImageRef],
    folder: RunFolder,
    pace: Pace,
    watch: Watch,
) -> ComparedFolder:
    """Compare images with each other, except subsets that an earlier run has finished.

    An image that is listed twice is compared once.

    Args:
        inspector: compares the images.
        refs: the images.
        folder: the claimed output folder.
        pace: batch size and threads.
        watch: follows the comparison.

    Raises:
        UsageError: if fewer than two images can be read, or the folder cannot be written.
        ModelError: if memory does not suffice.
    """
    paths = list(dict.fromkeys(ref.path for ref in refs))
    parts = [[paths[number] for number in numbers] for numbers in subsets(len(paths))]
    files = SubsetFiles(folder.path)
    states = dict(zip(paths, states_of(paths), strict=True))
    found: dict[int, list[ComparedImage]] = {}
    existing = files.existing()
    for number, part in enumerate(parts):
        kept = files.read(number, [*map(str, part)], [states[path] for path in part])
        if kept is not None:
            found[number] = kept
    if stale := len(existing) - len(found):
        watch.remark(_again(stale, len(existing)))
    files.remove_others(len(parts))
    missing = {number: part for number, part in enumerate(parts) if number not in found}
    _announce(inspector, list(missing.values()), pace, watch)
    for number, part in missing.items():
        states |= dict(zip(part, states_of(part), strict=True))

        def observe(activity: str, done: int, total: int, number: int = number) -> None:
            watch.progress(activity, done, total, number + 1, len(parts))

        found[number] = inspector.compare(
            part, batch_size=pace.batch_size, workers=pace.workers, observe=observe
        )
        files.write(number, found[number], [states[path] for path in part])
    images = {
        str(path): (image, states[path])
        for number, part in enumerate(parts)
        for path, image in zip(part, found[number], strict=True)
    }
    return ComparedFolder(inspector, images, files.digest(len(parts)))


def _again(stale: int, all_subsets: int) -> str:
    return (
        f"{stale} of {all_subsets} subsets of the earlier run will be compared again: images were "
        "added, removed, changed or unreadable. One image more or less changes all subsets."
    )


def _announce(
    inspector: MutualInspector, parts: Sequence[Sequence[ImagePlace]], pace: Pace, watch: Watch
) -> None:
    if watch.forecast is None or not parts:
        return
    times = inspector.measure(parts[0], batch_size=pace.batch_size)
    if times is not None:
        sizes = [len(part) for part in parts]
        watch.forecast(Forecast(times.seconds(sizes), sum(sizes), len(sizes), max(sizes)))
