"""The inspector: a loaded model that scores images."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.arguments import naming
from moeclip_cli.checkpoints.loading import LoadedModel, load_model
from moeclip_cli.discovery.prompts_file import DEFAULT_PROMPT
from moeclip_cli.errors import UsageError
from moeclip_cli.images.decode import DEFAULT_DECODE_SECONDS, DEFAULT_MAX_PIXELS
from moeclip_cli.images.resized import normalise
from moeclip_cli.inspection.finite_grading import FiniteGrading
from moeclip_cli.inspection.forward import ForwardPass, text_encoder
from moeclip_cli.inspection.good_scores import GoodScores
from moeclip_cli.inspection.grading import Grading
from moeclip_cli.inspection.image_like import ImageLike, input_digest, listed
from moeclip_cli.inspection.layout import Layout
from moeclip_cli.inspection.model_choice import choose_model
from moeclip_cli.inspection.network_input import patches_per_side, resized_inputs
from moeclip_cli.inspection.placed import PlacedModel
from moeclip_cli.inspection.prepared import PreparedImage, match_reference, prepare
from moeclip_cli.inspection.profile import Profile, read_profile
from moeclip_cli.inspection.reference_builder import ReferenceBuilder
from moeclip_cli.inspection.references import GoodParts, References
from moeclip_cli.inspection.result import Result
from moeclip_cli.inspection.scoring_loop import ScoringLoop
from moeclip_cli.inspection.thresholds import choose_threshold
from moeclip_cli.inspection.window_bank import WindowReferences
from moeclip_cli.inspection.window_scorer import WindowScorer, graded
from moeclip_cli.inspection.windows import WindowReader
from moeclip_cli.model.bank import COMPARED_PATCHES, KEPT_PATCHES
from moeclip_cli.model.config import Domain
from moeclip_cli.model.frozen_tower import FrozenTower
from moeclip_cli.parallel.cores import choose_workers
from moeclip_cli.parallel.device import choose_device
from moeclip_cli.tiles.canvas import canvas_shape
from moeclip_cli.tiles.framing import Framing, Tile, Where
from moeclip_cli.tiles.grid import DEFAULT_OVERLAP, Box

Prompt: TypeAlias = "str | Callable[[ImageLike], str]"


class Inspector(PlacedModel):
    """Scores images with one model on one device.

    Scoring is thread-safe: several threads may iterate over `score` of one inspector.

    Numbers that are not finite never become a verdict. If a number of an image (a score, or a value
    of a map) is NaN or infinite, the image gets an error. The first time that happens, a test image
    goes through the network with the same prompt: if its numbers are not finite either, the weights
    are the cause, and scoring stops with a `ModelError`.

    Example:
        >>> inspector = Inspector.load()
        >>> for result in inspector.score(["part.png"], prompt="metal bracket"):
        ...     print(result.score, result.verdict, result.anomaly_map.shape)

    Attributes:
        model: the loaded network, its configuration, digest and name.
        device: device of the network.
        threshold: the threshold in use and its origin.
        domain: "industrial" or "medical".
        image_size: side in pixels of the maps and of the first network input, for a square image.
        sizes: sides in pixels of all network inputs, for a square image.
        references: the good parts that images are compared with, if any.
        layout: tiles, region of interest and reference view of each image, if there are any.
        good_scores: of good parts, which percentiles refer to.
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
        profile: Profile | str | os.PathLike[str] | None = None,
        references: GoodParts | None = None,
        reference_rotations: int = 1,
        reference_patches: int | None = COMPARED_PATCHES,
        max_pixels: int = DEFAULT_MAX_PIXELS,
        decode_seconds: float = DEFAULT_DECODE_SECONDS,
        layout: Layout | None = None,
    ) -> None:
        super().__init__(
            model,
            device=device,
            precision=precision,
            domain=domain,
            max_pixels=max_pixels,
            decode_seconds=decode_seconds,
        )
        profile = read_profile(profile)
        if layout is None and profile is not None:
            layout = Layout.from_settings(profile.settings)
        self.layout = layout
        forward = ForwardPass(model, self.device, self.domain, None, text_encoder(model))
        self._reader: WindowReader | None = None
        windows: WindowReferences | None = None
        if layout is not None:
            self._reader = WindowReader(layout, self._inputs, max_pixels, decode_seconds)
            windows = WindowReferences(self._reader, forward, self._in_passes)
        self._builder = ReferenceBuilder(model, self.device, max_pixels, decode_seconds, windows)
        self.references = self._builder.choose(
            references, profile, reference_rotations, reference_patches
        )
        self._forward = replace(forward, references=self.references)
        self.good_scores = GoodScores.known(profile, self.references)
        tiled = layout is not None and layout.tiling is not None
        self.threshold = choose_threshold(
            threshold, profile, model.config, self.references, tiled=tiled, unsure=unsure
        )
        if profile is not None:
            profile.check(self.settings)
        compared = 0 if self.references is None else len(self.references.names)
        self._grading = Grading(model.name, self.threshold, compared, self.good_scores)
        self._finite = FiniteGrading(
            self._grading,
            self._forward.of_test_image,
            image_error=f"The score is not a finite number in {self.precision}; {self._remedy}.",
            model_error=(
                f"{model.name} cannot be used in {self.precision}: its numbers are not finite, not "
                f"even for a test image; {self._remedy}."
            ),
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
        profile: Profile | str | os.PathLike[str] | None = None,
        references: Iterable[ImageLike] | None = None,
        reference_rotations: int = 1,
        reference_patches: int | None = COMPARED_PATCHES,
        device: str = "auto",
        precision: str = "auto",
        max_pixels: int = DEFAULT_MAX_PIXELS,
        decode_seconds: float = DEFAULT_DECODE_SECONDS,
        tile: Tile = None,
        smallest: float | None = None,
        overlap: float = DEFAULT_OVERLAP,
        region: Where | Iterable[Where] = (),
        ignore: Where | Iterable[Where] = (),
        align: Where | None = None,
    ) -> Inspector:
        """Load a model and put it on a device.

        Args:
            model: a built-in name, a checkpoint file, or `hf://owner/repo[/file][@revision]`. By
                default the built-in model or, with `references`, the built-in DINOv2; with a
                profile that contains references, the built-in model that it names.
            backbone_weights: a backbone file to use instead of the one that the checkpoint names.
            image_size: side of the network input in pixels; replaces all sizes of the checkpoint.
                Without adapters, the network keeps the aspect ratio of an image and sees it in
                about as many pixels.
            domain: "industrial" or "medical", if not the checkpoint's; determines blur and formula.
            threshold: score in [0, 1] from which an image is anomalous, if not the profile's; the
                profile's band of unsure images is not used either then.
            unsure: lower threshold: an image that is not anomalous is "unsure" from this score on.
                By default that of the profile or none.
            profile: result of `moeclip calibrate`: its path, or what `Profile.load` read; replaces
                the checkpoint's threshold. One with references also gives image size and domain.
            references: images of good parts that images are compared with, as for `score`. The
                score is then the distance to them.
            reference_rotations: number of angles at which each reference is compared; 1 if parts
                always lie the same way.
            reference_patches: number of patches of each reference, level and angle to compare with;
                None for all.
            device: "auto", "cpu", "cuda", "cuda:N" or "mps".
            precision: "auto" (float32), "fp32", "bf16" or "fp16".
            max_pixels: images with more pixels are refused before decoding, as decompression bombs.
            decode_seconds: time after which the decoding of one image is stopped; the result of
                that image is an error.
            tile: side in pixels of square tiles in which each image is scored at its own
                resolution; the highest score of a tile is that of the image. "auto" for tiles in
                which a defect of the size `smallest` covers two patches. By default, an image is
                scored as a whole; with a profile, as in its calibration.
            smallest: side of the smallest defect in pixels of the image, for `tile` "auto".
            overlap: share of a tile's side, up to 0.75, that the next tile covers, too.
            region: what to inspect of every image: boxes in pixels or percent, such as
                "10%,10%,90%,90%", masks (white counts), JSON files of LabelMe or COCO, or one
                TOML file with rules for the paths of the images. What is outside changes no score.
                By default all; with a profile, what was calibrated.
            ignore: what to leave out, in the same forms.
            align: picture of the reference view, of the same aspect ratio as the images. Each image
                is seen as if it had been taken from there; `region` and `ignore` are in its frame,
                results in that of the image. With a profile, what was calibrated.

        Raises:
            ModelError: if the model or its backbone cannot be found, fetched or trusted, or do not
                fit each other.
            UsageError: if the device, precision or threshold is invalid, or the profile was made
                with other settings.
        """
        weights = Path(backbone_weights) if backbone_weights is not None else None
        choose_device(device)  # refuses an invalid device before minutes of download
        profile = read_profile(profile)
        choice = choose_model(model, domain, image_size, profile, compares=references is not None)
        loaded = load_model(choice.model, backbone_weights=weights, image_size=choice.image_size)
        patches = patches_per_side(loaded.network)
        return cls(
            loaded,
            device=device,
            precision=precision,
            domain=choice.domain,
            threshold=threshold,
            unsure=unsure,
            profile=profile,
            references=references,
            reference_rotations=reference_rotations,
            reference_patches=reference_patches,
            max_pixels=max_pixels,
            decode_seconds=decode_seconds,
            layout=Layout.of(Framing(tile, smallest, overlap, region, ignore, align), patches),
        )

    def map_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width in pixels of the maps of an image of the given size.

        Args:
            height: of the image in pixels.
            width: of the image in pixels.

        Raises:
            ImageError: if the region of interest does not fit the image.
        """
        box = Box(0, 0, width, height)
        if self.layout is not None:
            box = self.layout.boxes(width, height)[0]
        rows, columns = super().map_size(box.height, box.width)
        if (box.width, box.height) == (width, height):
            return rows, columns
        return canvas_shape((width, height), (columns / box.width, rows / box.height))

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that the scores depend on besides image and prompt, in JSON types.

        Device, batch size and workers are left out: they do not change a score.
        """
        settings = super().settings
        if self.references is not None:
            settings["references"] = self.references.digest
            settings["reference_rotations"] = self.references.rotations
            settings["layers"] = list(self._network.config.layers)
            settings["preprocessing_digest"] = self._network.preprocessing.digest
            if isinstance(self._network, FrozenTower):
                settings["aspect_ratio"] = "kept"
        if self.layout is not None:
            settings |= self.layout.settings
        return settings

    def score(
        self,
        images: Iterable[ImageLike] | ImageLike,
        *,
        prompt: Prompt = DEFAULT_PROMPT,
        batch_size: int | None = None,
        workers: int | None = None,
        experts_layer: int | None = None,
        ends_batch: Callable[[], bool] | None = None,
    ) -> Iterator[Result]:
        """Score images lazily: one result per image, in order, including failed ones.

        Args:
            images: any mixture of paths, contents of files (bytes or binary streams), PIL images,
                and arrays or tensors: (H, W), (H, W, 1), (H, W, 3) RGB or (H, W, 4) RGBA, tensors
                also with the channels first; uint8, bool, float in [0, 1], or uint16, which is
                scaled by the image's own minimum and maximum. Anything else gives an error in its
                result.
            prompt: name of the object, or a function from an image to its name.
            batch_size: images or tiles per forward pass, chosen per device by default; does not
                change the scores.
            workers: decoding threads; 0 for none. The default depends on the number of CPU cores.
            experts_layer: number of a block with an adapter, whose first choices become
                `result.experts`.
            ends_batch: called once for each image, in order; True to end the batch after it
                although it is not full.

        Raises:
            UsageError: if an argument is out of range, or the prompt is empty; while iterating, if
                a function gives an empty one.
            ModelError: while iterating, if the model yields numbers that are not finite for every
                image, or memory does not suffice for a single image.
        """
        names = naming(prompt)
        size = self._batch_size(batch_size)
        adapter = None if experts_layer is None else self._adapter_after(experts_layer)
        if self._reader is not None:
            if adapter is not None:
                raise UsageError(
                    "Experts are shown of whole images; omit `tile`, `region` and `align`."
                )
            scorer = WindowScorer(
                self._reader, self._forward.batch, self.references, self._in_passes
            )
            scored = scorer.score(
                listed(images),
                names,
                batch_size=size,
                workers=choose_workers(workers),
                ends_batch=ends_batch,
            )
            return graded(scored, self._finite)
        return self._score(
            listed(images), names, size, ends_batch, choose_workers(workers), adapter
        )

    def _score(
        self,
        images: Iterable[ImageLike],
        names: Callable[[ImageLike], str],
        batch_size: int,
        ends_batch: Callable[[], bool] | None,
        workers: int,
        adapter: int | None,
    ) -> Iterator[Result]:
        def load(image: ImageLike) -> PreparedImage:
            prepared = prepare(
                image,
                names(image),
                self._inputs,
                max_pixels=self.max_pixels,
                decode_seconds=self.decode_seconds,
            )
            if self.references is None or prepared.error is not None:
                return prepared
            pixels = normalise(prepared.pixels[0], self._network.preprocessing)
            return match_reference(prepared, self.references, input_digest(pixels))

        def inspect(items: list[PreparedImage]) -> list[Result]:
            return self._in_passes(
                items, lambda part: self._finite.results(part, self._forward.batch(part, adapter))
            )

        overlap = self.device.type != "cpu"
        loop = ScoringLoop(self._grading, load, inspect, batch_size, workers, ends_batch, overlap)
        return loop.results(images)

    def _inputs(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], ...]:
        return resized_inputs(pixels, self._network, self.sizes)

    def more_references(self, images: Iterable[ImageLike]) -> References:
        """The references in use and further ones, each scored against all others.

        Args:
            images: further good parts, as for `score`. Those that are references already are left
                out.

        Raises:
            UsageError: if no references are in use, or an image cannot be read.
        """
        if self.references is None:
            raise UsageError("There are no references to add to; give `references`.")
        return self._builder.build(images, self.references.rotations, KEPT_PATCHES, self.references)

    @property
    def experts(self) -> int:
        """Number of experts of each adapter."""
        return self._network.config.experts

    def _adapter_after(self, block: int) -> int:
        if isinstance(self._network, FrozenTower):
            raise UsageError(f"There are no experts: {self.model.name} has no adapters.")
        layers = self._network.config.adapter_blocks
        if block not in layers:
            raise UsageError(
                f"There are no experts after block {block}: this model has them after blocks "
                f"{', '.join(map(str, layers))}."
            )
        return layers.index(block)
