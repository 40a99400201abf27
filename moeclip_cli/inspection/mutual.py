"""A set of images that scores itself: each image is compared with the others."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import torch

from moeclip_cli.checkpoints.builtin import DEFAULT_TOWER
from moeclip_cli.checkpoints.loading import LoadedModel, load_model
from moeclip_cli.discovery.prompts_file import DEFAULT_PROMPT
from moeclip_cli.errors import UsageError
from moeclip_cli.images.decode import DEFAULT_DECODE_SECONDS, DEFAULT_MAX_PIXELS
from moeclip_cli.images.pipeline import prefetch
from moeclip_cli.inspection.compared_image import ComparedImage
from moeclip_cli.inspection.forecast import StepTimes
from moeclip_cli.inspection.forward import score_arrays
from moeclip_cli.inspection.image_like import ImageLike, listed
from moeclip_cli.inspection.network_input import network_batch, resized_inputs
from moeclip_cli.inspection.placed import PlacedModel
from moeclip_cli.inspection.prepared import PreparedImage, batches, prepare
from moeclip_cli.inspection.result import Result
from moeclip_cli.inspection.scored_batch import ScoredBatch
from moeclip_cli.inspection.subsets import LARGEST_SUBSET, SEED, subsets
from moeclip_cli.inspection.thresholds import AppliedThreshold, given_threshold, mutual_threshold
from moeclip_cli.model.aggregation import WINDOWS
from moeclip_cli.model.config import Domain
from moeclip_cli.model.mutual import SHARE, PatchTokens, mutual_distances, nearest
from moeclip_cli.model.scoring import score_distances
from moeclip_cli.parallel.cores import choose_workers
from moeclip_cli.parallel.device import choose_device
from moeclip_cli.parallel.memory import memory_errors

Observe: TypeAlias = Callable[[str, int, int], None]
"""Takes the name of an activity and how much of how much of it is done."""

# Images of which reading and comparing is timed for the forecast.
_MEASURED = 8
READING, COMPARING = "Reading", "Comparing"


def _ignore(activity: str, done: int, total: int) -> None:
    """Observe nothing."""


class MutualInspector(PlacedModel):
    """Scores the images of a set by their distance to each other, without references or labels.

    Unlike with `Inspector`, a score depends on the other images.

    Example:
        >>> inspector = MutualInspector.load()
        >>> for result in inspector.score(["a.png", "b.png", "c.png"]):
        ...     print(result.score, result.verdict)

    Attributes:
        model: the loaded network; its name in tables ends in ", mutual".
        threshold: the threshold that the user gave; None for the outlier limit of each set.
    """

    def __init__(
        self,
        model: LoadedModel,
        *,
        device: str = "auto",
        precision: str = "auto",
        domain: Domain | None = None,
        threshold: float | None = None,
        unsure: float | None = None,
        max_pixels: int = DEFAULT_MAX_PIXELS,
        decode_seconds: float = DEFAULT_DECODE_SECONDS,
    ) -> None:
        super().__init__(
            replace(model, name=f"{model.name}, mutual"),
            device=device,
            precision=precision,
            domain=domain,
            max_pixels=max_pixels,
            decode_seconds=decode_seconds,
        )
        if threshold is None and unsure is not None:
            raise UsageError(
                "The outlier limit of a set is known only after its images are compared; give a "
                "`threshold` with `unsure`."
            )
        self.threshold = (
            None if threshold is None else given_threshold(threshold).with_unsure(unsure)
        )

    @classmethod
    def load(
        cls,
        model: str | os.PathLike[str] | None = None,
        *,
        backbone_weights: str | os.PathLike[str] | None = None,
        image_size: int | None = None,
        domain: Domain | None = None,
        threshold: float | None = None,
        unsure: float | None = None,
        device: str = "auto",
        precision: str = "auto",
        max_pixels: int = DEFAULT_MAX_PIXELS,
        decode_seconds: float = DEFAULT_DECODE_SECONDS,
    ) -> MutualInspector:
        """Load a model and put it on a device.

        Args:
            model: built-in name, checkpoint file or reference; the built-in DINOv2 by default.
            backbone_weights: a backbone file to use instead of the one that the checkpoint names.
            image_size: side of the network input in pixels.
            domain: "industrial" or "medical", if not the checkpoint's; determines the blur.
            threshold: score in [0, 1] from which an image is anomalous. By default the outlier
                limit of each set of images.
            unsure: lower threshold, with `threshold` only: an image that is not anomalous is
                "unsure" from this score on.
            device: "auto", "cpu", "cuda", "cuda:N" or "mps".
            precision: "auto" (float32), "fp32", "bf16" or "fp16".
            max_pixels: images with more pixels are refused before decoding.
            decode_seconds: time after which the decoding of one image is stopped.

        Raises:
            ModelError, UsageError: see `Inspector.load`.
        """
        choose_device(device)  # refuses an invalid device before minutes of download
        weights = None if backbone_weights is None else Path(backbone_weights)
        loaded = load_model(
            os.fspath(model or DEFAULT_TOWER), backbone_weights=weights, image_size=image_size
        )
        return cls(
            loaded,
            device=device,
            precision=precision,
            domain=domain,
            threshold=threshold,
            unsure=unsure,
            max_pixels=max_pixels,
            decode_seconds=decode_seconds,
        )

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that the scores depend on besides the images, in JSON types."""
        return super().settings | self.mode_settings

    @property
    def mode_settings(self) -> dict[str, Any]:
        """The settings of the comparison, in JSON types."""
        return {
            "scales": [],  # one network input
            "mode": "mutual",
            "subset_size": LARGEST_SUBSET,
            "subset_seed": SEED,
            "layers": list(self._network.config.layers),
            "windows": list(WINDOWS),
            "share": SHARE,
            "preprocessing_digest": self._network.preprocessing.digest,
        }

    @property
    def maps(self) -> int:
        """Number of levels and windows at which images are compared."""
        return len(self._network.config.layers) * len(WINDOWS)

    def score(
        self,
        images: Iterable[ImageLike] | ImageLike,
        *,
        prompt: str = DEFAULT_PROMPT,
        batch_size: int | None = None,
        workers: int | None = None,
    ) -> Iterator[Result]:
        """Score images by their distance to each other: one result per image, in order.

        Sets of more than 200 images are divided into random subsets. The comparison is finished
        when this returns; results are made one by one.

        Args:
            images: as for `Inspector.score`; two of them at least can be read.
            prompt: name of the object, for the results; it changes no score.
            batch_size: images per forward pass, chosen per device by default.
            workers: decoding threads; 0 for none. The default depends on the number of CPU cores.

        Raises:
            UsageError: if fewer than two images can be read, or an argument is out of range.
            ModelError: if memory does not suffice.
        """
        all_images = list(listed(images))
        found: dict[int, ComparedImage] = {}
        for numbers in subsets(len(all_images)):
            compared = self.compare(
                [all_images[number] for number in numbers], batch_size=batch_size, workers=workers
            )
            found.update(zip(numbers, compared, strict=True))
        ordered = [found[number] for number in range(len(all_images))]
        threshold = self.threshold_of(ordered)
        return (self.result(one, prompt, threshold) for one in ordered)

    def compare(
        self,
        images: Sequence[ImageLike],
        *,
        batch_size: int | None = None,
        workers: int | None = None,
        observe: Observe = _ignore,
    ) -> list[ComparedImage]:
        """Compare the images of one subset with each other.

        Args:
            images: as for `score`; the work grows with the square of their number.
            batch_size: as for `score`.
            workers: as for `score`.
            observe: told about the progress.

        Raises:
            UsageError: if an argument is out of range.
            ModelError: if memory does not suffice.
        """
        prepared: list[PreparedImage] = []
        tokens: dict[int, PatchTokens] = {}
        for item, found in self._read(images, batch_size, workers):
            if found is not None and not found.finite:
                error = f"Its numbers are not finite in {self.precision}; {self._remedy}."
                item = replace(item, error=error)
            elif found is not None:
                tokens[len(prepared)] = found
            prepared.append(replace(item, pixels=()))
            observe(READING, len(prepared), len(images))
        if len(tokens) == 1:  # the others of its subset cannot be read
            (lonely,) = tokens
            error = "No other image of its subset can be read."
            prepared[lonely] = replace(prepared[lonely], error=error)
            tokens = {}
        distances = self._distances(tokens, observe)
        return [
            ComparedImage(
                item.path,
                distances.get(number),
                max(0, len(tokens) - 1),
                item.width,
                item.height,
                item.notes,
                item.error,
                item.temporary,
            )
            for number, item in enumerate(prepared)
        ]

    @torch.inference_mode()
    def measure(
        self, images: Sequence[ImageLike], *, batch_size: int | None = None
    ) -> StepTimes | None:
        """Measure how long one batch and one comparison take.

        Args:
            images: the set, of which the first ones are used.
            batch_size: as for `score`.

        Returns:
            None if the first images cannot be read.
        """
        size = self._batch_size(batch_size)
        list(self._read(images[:1], batch_size, 0))  # memory and kernels are set up
        sample = images[:_MEASURED]
        started = time.perf_counter()
        tokens = [found for _, found in self._read(sample, size, 0) if found is not None]
        reading = (time.perf_counter() - started) / len(sample)
        if not tokens:
            return None
        one, other = tokens[0].units(0, WINDOWS[0]), tokens[-1].units(0, WINDOWS[0])
        comparing = []
        for _ in range(_MEASURED):
            started = time.perf_counter()
            rows, _ = nearest(one.float(), [other] * _MEASURED)
            rows.cpu()  # waits for the device
            comparing.append((time.perf_counter() - started) / _MEASURED)
        return StepTimes(reading, statistics.median(comparing), self.maps)

    def threshold_of(self, images: Sequence[ComparedImage]) -> AppliedThreshold:
        """The given threshold, else the outlier limit of the images.

        Raises:
            UsageError: if none was compared with another one.
        """
        scores = [score for image in images if (score := image.score) is not None]
        if not scores:
            errors = (image.error for image in images if image.error is not None)
            raise UsageError(
                "Images are compared with each other, but fewer than two can be read. "
                f"{next(errors, 'Give at least two images.')}"
            )
        return self.threshold or mutual_threshold(scores)

    def result(self, image: ComparedImage, prompt: str, threshold: AppliedThreshold) -> Result:
        """The result of a compared image.

        Args:
            image: the image.
            prompt: name of the object.
            threshold: of all images.
        """
        if image.distances is None:
            return Result(
                image.path,
                prompt,
                self.model.name,
                error=image.error,
                temporary=image.temporary,
            )
        rows, columns = image.distances.shape
        scores = score_distances(
            image.distances.flatten()[None],
            (rows, columns),
            self.map_size(image.height, image.width),
            self.domain,
        )
        item = PreparedImage(image.path, prompt, (), image.width, image.height, image.notes)
        return (
            ScoredBatch(score_arrays(scores))
            .image(0)
            .result(item, model=self.model.name, threshold=threshold, references=image.others)
        )

    def _read(
        self, images: Iterable[ImageLike], batch_size: int | None, workers: int | None
    ) -> Iterator[tuple[PreparedImage, PatchTokens | None]]:
        """Each image with its tokens; None for one that cannot be read."""

        def load(image: ImageLike) -> PreparedImage:
            return prepare(
                image,
                "",
                lambda pixels: resized_inputs(pixels, self._network, (self.image_size,)),
                max_pixels=self.max_pixels,
                decode_seconds=self.decode_seconds,
            )

        size = self._batch_size(batch_size)
        loading = prefetch(images, load, workers=choose_workers(workers), ahead=2 * size)
        with closing(loading) as prepared:
            for batch in batches(prepared, size):
                good = [item for item in batch if item.error is None]
                tokens = iter(self._in_passes(good, self._tokens))
                for item in batch:
                    yield item, next(tokens) if item.error is None else None

    @torch.inference_mode()
    def _tokens(self, items: list[PreparedImage]) -> list[PatchTokens]:
        images = [item.pixels[0] for item in items]
        found = self._network.levels(
            network_batch(images, self._network.preprocessing, self.device)
        )
        return [
            PatchTokens.of([level[i] for level in found.tokens], found.grid)
            for i in range(len(items))
        ]

    @torch.inference_mode()
    def _distances(
        self, tokens: dict[int, PatchTokens], observe: Observe
    ) -> dict[int, torch.Tensor]:
        if not tokens:
            return {}
        with memory_errors(
            f"There is not enough memory on {self.device} to compare {len(tokens)} images; use a "
            "smaller `image_size` or another `device`."
        ):
            found = mutual_distances(
                list(tokens.values()), observe=lambda done, all_: observe(COMPARING, done, all_)
            )
            return {n: each.cpu() for n, each in zip(tokens, found, strict=True)}
