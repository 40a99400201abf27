"""The inspector of an exported graph, which needs ONNX Runtime or OpenVINO, and no PyTorch."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.arguments import naming, require_batch_size
from moeclip_cli.discovery.places import ImagePlace
from moeclip_cli.discovery.prompts_file import DEFAULT_PROMPT
from moeclip_cli.errors import UsageError
from moeclip_cli.exports.calibration import choose_layout, choose_threshold
from moeclip_cli.exports.description import Description
from moeclip_cli.exports.graph_pass import GraphPass
from moeclip_cli.exports.open_session import open_session
from moeclip_cli.exports.session import GraphSession
from moeclip_cli.images.decode import DEFAULT_DECODE_SECONDS, DEFAULT_MAX_PIXELS, decode
from moeclip_cli.inspection.finite_grading import FiniteGrading
from moeclip_cli.inspection.good_scores import GoodScores
from moeclip_cli.inspection.grading import Grading
from moeclip_cli.inspection.image_like import ImageLike, input_digest, listed
from moeclip_cli.inspection.prepared import (
    PreparedImage,
    in_equal_shapes,
    match_reference,
    prepare,
)
from moeclip_cli.inspection.profile import Profile, read_profile
from moeclip_cli.inspection.result import Result
from moeclip_cli.inspection.scoring_loop import ScoringLoop
from moeclip_cli.inspection.window_scorer import WindowScorer, graded
from moeclip_cli.inspection.windows import WindowReader
from moeclip_cli.model.config import Domain
from moeclip_cli.parallel.cores import choose_workers
from moeclip_cli.tiles.framing import Framing, Tile
from moeclip_cli.tiles.grid import DEFAULT_OVERLAP

_BATCH_SIZE = 2
_WHOLE = Framing()


class OnnxInspector:
    """Scores images with a graph that `moeclip export` wrote, on the CPU.

    Results are those of the `Inspector` that was exported, to float32 rounding.

    Args:
        session: the graph.
        threshold: as for `load`.
        unsure: as for `load`.
        profile: as for `load`.
        max_pixels: as for `load`.
        decode_seconds: as for `load`.
        framing: tiles, as for `load`.

    Attributes:
        layout: tiles of each image, if there are any.
        threshold: the threshold in use and its origin.
        max_pixels: images with more pixels are refused.
        decode_seconds: limit on the time to decode an image.
    """

    def __init__(
        self,
        session: GraphSession,
        *,
        threshold: float | None = None,
        unsure: float | None = None,
        profile: Profile | None = None,
        max_pixels: int = DEFAULT_MAX_PIXELS,
        decode_seconds: float = DEFAULT_DECODE_SECONDS,
        framing: Framing = _WHOLE,
    ) -> None:
        if not decode_seconds > 0:
            raise UsageError(f"`decode_seconds` must be above 0, not {decode_seconds}.")
        self._session = session
        self._forward = GraphPass(session)
        self.layout = choose_layout(self.model, framing, profile)
        self.threshold = choose_threshold(
            threshold, profile, self.model, self.layout, unsure=unsure
        )
        self.good_scores = self.model.of_good_parts
        if profile is not None:
            self.good_scores = GoodScores.known(profile, None)
        compared = len(self.model.references)
        self._grading = Grading(self.model.name, self.threshold, compared, self.good_scores)
        self._finite = FiniteGrading(
            self._grading,
            self._forward.of_test_image,
            image_error="The score is not a finite number.",
            model_error=(
                f"{self.model.name} cannot be used: its numbers are not finite, not even for a "
                "test image; export another `model`."
            ),
        )
        self.max_pixels = max_pixels
        self.decode_seconds = decode_seconds

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        threshold: float | None = None,
        unsure: float | None = None,
        profile: Profile | str | os.PathLike[str] | None = None,
        max_pixels: int = DEFAULT_MAX_PIXELS,
        decode_seconds: float = DEFAULT_DECODE_SECONDS,
        tile: Tile = None,
        smallest: float | None = None,
        overlap: float = DEFAULT_OVERLAP,
    ) -> OnnxInspector:
        """Load an exported graph.

        Args:
            path: a file that `moeclip export` wrote: .onnx for ONNX Runtime, .xml for OpenVINO.
            threshold: score in [0, 1] from which an image is anomalous, if not the profile's.
            unsure: as for `Inspector.load`.
            profile: result of `moeclip calibrate` with the exported model, its path, or what
                `Profile.load` read; its references must be those of the graph. By default the
                threshold in the file is used.
            max_pixels: images with more pixels are refused before decoding.
            decode_seconds: time after which the decoding of one image is stopped.
            tile: as for `Inspector.load`; a graph with references has the tiles of its profile.
            smallest: as for `Inspector.load`.
            overlap: as for `Inspector.load`.

        Raises:
            MissingExtraError: if ONNX Runtime or OpenVINO is needed and not installed.
            ModelError: if the file cannot be read, or `moeclip export` did not write it.
            UsageError: if the threshold is invalid, or the profile was made with another model.
        """
        profile = read_profile(profile)
        return cls(
            open_session(Path(path)),
            threshold=threshold,
            unsure=unsure,
            profile=profile,
            max_pixels=max_pixels,
            decode_seconds=decode_seconds,
            framing=Framing(tile, smallest, overlap),
        )

    @property
    def model(self) -> Description:
        """What the graph computes, and the name of its model."""
        return self._session.description

    @property
    def image_size(self) -> int:
        """Side in pixels of the maps of a square image."""
        return self.model.image_sizes[0]

    @property
    def domain(self) -> Domain:
        """Domain that determines blur and formula."""
        return self.model.domain

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that the scores depend on besides image and prompt, in JSON types."""
        tiles = {} if self.layout is None else self.layout.settings
        return {**self.model.settings, **tiles, "export_digest": self._session.digest}

    @property
    def versions(self) -> dict[str, str]:
        """Versions of the packages that run the graph."""
        return self._session.versions

    @property
    def facts(self) -> dict[str, Any]:
        """How settings were chosen: none was."""
        return {}

    @property
    def device_name(self) -> str:
        """The device in words, such as "cpu, 8 threads"."""
        threads = self._session.threads
        return f"cpu, {threads} thread{'' if threads == 1 else 's'}"

    @property
    def default_batch_size(self) -> int:
        """Images per forward pass, unless the user chooses otherwise."""
        return _BATCH_SIZE

    @property
    def experts(self) -> int:
        """0: a graph does not tell which experts it used."""
        return 0

    def read_pixels(self, path: ImagePlace) -> NDArray[np.uint8]:
        """Decode an image within the limits of this inspector, (H, W, 3) uint8 RGB.

        Raises:
            ImageError: if the file cannot be read or exceeds a limit.
        """
        return decode(path, max_pixels=self.max_pixels, decode_seconds=self.decode_seconds).pixels

    def score(
        self,
        images: Iterable[ImageLike] | ImageLike,
        *,
        prompt: str | Callable[[ImageLike], str] = DEFAULT_PROMPT,
        batch_size: int | None = None,
        workers: int | None = None,
        experts_layer: int | None = None,
        ends_batch: Callable[[], bool] | None = None,
    ) -> Iterator[Result]:
        """Score images lazily: one result per image, in order, including failed ones.

        Args:
            images: as for `Inspector.score`.
            prompt: name of the object, or a function from an image to its name. A model that reads
                prompts takes those that it was exported for.
            batch_size: images per forward pass, 2 by default.
            workers: decoding threads; 0 for none. The default depends on the number of CPU cores.
            experts_layer: None; other values are refused.
            ends_batch: as for `Inspector.score`.

        Raises:
            UsageError: if an argument is out of range, or the graph has no text features of a
                prompt.
            ModelError: while iterating, if the graph yields numbers that are not finite for every
                image, or memory does not suffice for a batch.
        """
        if experts_layer is not None:
            raise UsageError("An exported graph does not show its experts; omit `experts`.")
        if isinstance(prompt, str):
            self.model.number(prompt)
        size = require_batch_size(_BATCH_SIZE if batch_size is None else batch_size)
        threads, names = choose_workers(workers), naming(prompt)
        if self.layout is not None:
            reader = WindowReader(
                self.layout, self._forward.inputs, self.max_pixels, self.decode_seconds
            )
            scorer = WindowScorer(reader, self._forward.batch, self.model.compared, in_equal_shapes)
            scored = scorer.score(
                listed(images), names, batch_size=size, workers=threads, ends_batch=ends_batch
            )
            return graded(scored, self._finite)

        def load(image: ImageLike) -> PreparedImage:
            return self._prepared(image, names(image))

        loop = ScoringLoop(self._grading, load, self._inspect, size, threads, ends_batch)
        return loop.results(listed(images))

    def _prepared(self, image: ImageLike, prompt: str) -> PreparedImage:
        """The image as the graph takes it, and whether it is a reference."""
        digest: list[str] = []

        def inputs(pixels: NDArray[np.uint8]) -> tuple[NDArray[Any], ...]:
            found = self._forward.inputs(pixels)
            if self.model.compared is not None:
                # A graph that resizes images takes them as they are.
                first = self._forward.normalised(pixels)[0] if self.model.resizes else found[0]
                digest.append(input_digest(first))
            return found

        prepared = prepare(
            image,
            prompt,
            inputs,
            max_pixels=self.max_pixels,
            decode_seconds=self.decode_seconds,
        )
        if self.model.compared is None or not digest:
            return prepared
        return match_reference(prepared, self.model.compared, digest[0])

    def _inspect(self, items: list[PreparedImage]) -> list[Result]:
        """Results of images without an error, in their order."""
        return in_equal_shapes(
            items, lambda part: self._finite.results(part, self._forward.batch(part))
        )
