"""The inspector: a loaded model that scores images."""

from __future__ import annotations

import os
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from moeclip_cli.bounded_text import shortened
from moeclip_cli.checkpoints.builtin import BUILTIN, BUILTIN_TOWERS, DEFAULT_TOWER
from moeclip_cli.checkpoints.loading import DEFAULT_MODEL, LoadedModel, load_model, load_tower
from moeclip_cli.discovery.prompts_file import DEFAULT_PROMPT
from moeclip_cli.errors import ModelError, UsageError
from moeclip_cli.images.decode import DEFAULT_DECODE_SECONDS, DEFAULT_MAX_PIXELS, decode
from moeclip_cli.images.pipeline import prefetch
from moeclip_cli.inspection.forward import ForwardPass, finite_images, text_encoder
from moeclip_cli.inspection.prepared import (
    PreparedImage,
    batches,
    cut_batches,
    match_reference,
    prepare,
)
from moeclip_cli.inspection.profile import Profile, ReferenceProfile
from moeclip_cli.inspection.references import (
    GoodParts,
    ImageLike,
    References,
    build_references,
    listed,
)
from moeclip_cli.inspection.regions import find_regions
from moeclip_cli.inspection.result import ANOMALOUS, NORMAL, Result
from moeclip_cli.inspection.thresholds import choose_threshold
from moeclip_cli.model.bank import KEPT_PATCHES
from moeclip_cli.model.config import Domain
from moeclip_cli.model.frozen_tower import FrozenTower
from moeclip_cli.model.scoring import Scores
from moeclip_cli.parallel.cores import choose_workers
from moeclip_cli.parallel.device import (
    choose_device,
    choose_precision,
    default_batch_size,
    describe_device,
)
from moeclip_cli.parallel.memory import memory_errors, ran_out_of_memory

Prompt: TypeAlias = "str | Callable[[ImageLike], str]"

_LARGEST_BATCH = 4096


class Inspector:
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
        image_size: side in pixels of the maps and of the first network input.
        sizes: sides in pixels of all network inputs.
        references: the good parts that images are compared with, if any.
    """

    def __init__(
        self,
        model: LoadedModel,
        *,
        device: str = "auto",
        precision: str = "auto",
        domain: Domain | None = None,
        threshold: float | None = None,
        profile: Profile | None = None,
        references: GoodParts | None = None,
        reference_rotations: int = 1,
        reference_patches: int | None = None,
        max_pixels: int = DEFAULT_MAX_PIXELS,
        decode_seconds: float = DEFAULT_DECODE_SECONDS,
    ) -> None:
        self.device = choose_device(device)
        self.dtype = choose_precision(precision)
        self.model = model
        self.domain: Domain = domain or model.config.domain
        self.image_size = model.network.config.image_size
        self.sizes = model.config.sizes
        if not decode_seconds > 0:
            raise UsageError(f"`decode_seconds` must be above 0, not {decode_seconds}.")
        self.max_pixels = max_pixels
        self.decode_seconds = decode_seconds
        self._network = model.network
        self._network.set_precision(self.dtype)
        with memory_errors(
            f"There is not enough memory on {self.device} for the model; use a lower `precision` "
            "or another `device`."
        ):
            self._network.to(self.device).eval()
        self._test_image_passed = False
        self.references = self._references(
            references, profile, reference_rotations, reference_patches
        )
        good = profile or self.references
        self._good_scores = sorted(good.scores) if good is not None else []
        self.threshold = choose_threshold(threshold, profile, model.config, self.references)
        if profile is not None:
            profile.check(self.settings)
        self._forward = ForwardPass(
            model, self.device, self.domain, self.references, text_encoder(self._network)
        )
        self._lock = threading.Lock()
        # Halved permanently when memory runs out: the next batch would not fit either.
        self._fitting = 2**30

    @classmethod
    def load(
        cls,
        model: str | None = None,
        *,
        backbone_weights: str | os.PathLike[str] | None = None,
        image_size: int | None = None,
        domain: Domain | None = None,
        threshold: float | None = None,
        profile: Profile | None = None,
        references: Iterable[ImageLike] | None = None,
        reference_rotations: int = 1,
        reference_patches: int | None = None,
        device: str = "auto",
        precision: str = "auto",
        max_pixels: int = DEFAULT_MAX_PIXELS,
        decode_seconds: float = DEFAULT_DECODE_SECONDS,
    ) -> Inspector:
        """Load a model and put it on a device.

        Args:
            model: a built-in name, a checkpoint file, or `hf://owner/repo[/file][@revision]`. By
                default the built-in model or, with `references`, the built-in DINOv2; with a
                profile that contains references, the built-in model that it names.
            backbone_weights: a backbone file to use instead of the one that the checkpoint names.
            image_size: side of the network input in pixels; replaces all sizes of the checkpoint.
            domain: "industrial" or "medical", if not the checkpoint's; determines blur and formula.
            threshold: score in [0, 1] from which an image is anomalous, if not the profile's.
            profile: result of `moeclip calibrate`, read by `Profile.load`; replaces the
                checkpoint's threshold. One with references also gives image size and domain.
            references: images of good parts that images are compared with, as for `score`. The
                score is then the distance to them.
            reference_rotations: number of angles at which each reference is compared; 1 if parts
                always lie the same way.
            reference_patches: number of patches of each reference, level and angle to compare with;
                all by default.
            device: "auto", "cpu", "cuda", "cuda:N" or "mps".
            precision: "auto" (float32), "fp32", "bf16" or "fp16".
            max_pixels: images with more pixels are refused before decoding, as decompression bombs.
            decode_seconds: time after which the decoding of one image is stopped; the result of
                that image is an error.

        Raises:
            ModelError: if the model or its backbone cannot be found, fetched or trusted, or do not
                fit each other.
            UsageError: if the device, precision or threshold is invalid, or the profile was made
                with other settings.
        """
        weights = Path(backbone_weights) if backbone_weights is not None else None
        choose_device(device)  # refuses an invalid device before minutes of download
        if isinstance(profile, ReferenceProfile):
            model = model or _builtin_model_of(profile)
            domain = domain or profile.settings["domain"]
            same = profile.settings["model"] in (model, Path(model).name)
            if same and not profile.settings["scales"]:  # an image size would replace them
                image_size = image_size or profile.settings["image_size"]
        if model in BUILTIN_TOWERS or (model is None and references is not None):
            loaded = load_tower(model or DEFAULT_TOWER, image_size=image_size)
        else:
            loaded = load_model(
                model or DEFAULT_MODEL, backbone_weights=weights, image_size=image_size
            )
        return cls(
            loaded,
            device=device,
            precision=precision,
            domain=domain,
            threshold=threshold,
            profile=profile,
            references=references,
            reference_rotations=reference_rotations,
            reference_patches=reference_patches,
            max_pixels=max_pixels,
            decode_seconds=decode_seconds,
        )

    @property
    def precision(self) -> str:
        """The floating-point type of the vision side, such as "float32"."""
        return str(self.dtype).removeprefix("torch.")

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that the scores depend on besides image and prompt, in JSON types.

        Device, batch size and workers are left out: they do not change a score.
        """
        settings: dict[str, Any] = {
            "model": self.model.name,
            "model_digest": self.model.digest,
            "backbone": self.model.config.backbone.name,
            "backbone_digest": self.model.backbone_digest,
            "image_size": self.image_size,
            "scales": list(self.model.config.scales),
            "domain": self.domain,
            "precision": self.precision,
        }
        if self.references is not None:
            settings["references"] = self.references.digest
            settings["reference_rotations"] = self.references.rotations
            settings["layers"] = list(self._network.config.layers)
            settings["preprocessing_digest"] = self._network.preprocessing.digest
        return settings

    def read_pixels(self, path: Path) -> NDArray[np.uint8]:
        """Decode an image file within the limits of this inspector, (H, W, 3) uint8 RGB.

        Raises:
            ImageError: if the file cannot be read or exceeds a limit.
        """
        return decode(path, max_pixels=self.max_pixels, decode_seconds=self.decode_seconds).pixels

    @property
    def where(self) -> str:
        """Device and precision in words."""
        return f"{describe_device(self.device)}, {self.precision}"

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
            images: paths, PIL images or (H, W, 3) uint8 RGB arrays; any mixture, any number.
            prompt: name of the object, or a function from an image to its name.
            batch_size: images per forward pass, chosen per device by default; does not change the
                scores.
            workers: decoding threads; 0 for none. The default depends on the number of CPU cores.
            experts_layer: number of a block with an adapter, whose first choices become
                `result.experts`.
            ends_batch: called once for each image, in order; True to end the batch after it
                although it is not full.

        Raises:
            UsageError: if an argument is out of range.
            ModelError: while iterating, if the model yields numbers that are not finite for every
                image, or memory does not suffice for a single image.
        """
        size = default_batch_size(self.device) if batch_size is None else batch_size
        if not 1 <= size <= _LARGEST_BATCH:
            raise UsageError(f"`batch_size` must be from 1 to {_LARGEST_BATCH}, not {size}.")
        adapter = None if experts_layer is None else self._adapter_after(experts_layer)
        return self._score(
            listed(images), prompt, size, ends_batch, choose_workers(workers), adapter
        )

    def _score(
        self,
        images: Iterable[ImageLike],
        prompt: Prompt,
        batch_size: int,
        ends_batch: Callable[[], bool] | None,
        workers: int,
        adapter: int | None,
    ) -> Iterator[Result]:
        def load(image: ImageLike) -> PreparedImage:
            prepared = prepare(
                image,
                prompt if isinstance(prompt, str) else prompt(image),
                self.sizes,
                self._network.preprocessing,
                max_pixels=self.max_pixels,
                decode_seconds=self.decode_seconds,
            )
            if self.references is None:
                return prepared
            return match_reference(prepared, self.references)

        # One batch is in the network, the next one is ready.
        prepared = prefetch(images, load, workers=workers, ahead=2 * batch_size)
        for batch in cut_batches(prepared, batch_size, ends_batch):
            yield from self._inspect(batch, adapter)

    def _inspect(self, batch: list[PreparedImage], adapter: int | None) -> Iterator[Result]:
        good = [item for item in batch if item.error is None]
        results = iter(list(self._results(good, adapter)))
        for item in batch:
            if item.error is None:
                yield next(results)
            else:
                yield Result(
                    item.path,
                    item.prompt,
                    self.model.name,
                    error=item.error,
                    temporary=item.temporary,
                )

    def _results(self, items: list[PreparedImage], adapter: int | None) -> Iterator[Result]:
        """Results of readable images, in as few forward passes as memory allows."""
        for part in batches(items, min(len(items), self._fitting) or 1):
            try:
                results = list(self._unpack(part, *self._forward(part, adapter)))
            except (RuntimeError, MemoryError) as error:
                if not ran_out_of_memory(error):
                    raise
                self._shrink(len(part))
            else:
                yield from results
                continue
            # Outside the except block, so that the tensors of the failed batch are freed.
            yield from self._results(part, adapter)

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
        return build_references(
            self._network,
            images,
            device=self.device,
            rotations=self.references.rotations,
            keep=KEPT_PATCHES,
            earlier=self.references,
            max_pixels=self.max_pixels,
            decode_seconds=self.decode_seconds,
        )

    def _references(
        self,
        images: GoodParts | None,
        profile: Profile | None,
        rotations: int,
        patches: int | None,
    ) -> References | None:
        if isinstance(profile, ReferenceProfile):
            if images is not None:
                raise UsageError(
                    "The profile contains its references; omit `reference`, or add the images with "
                    "'moeclip calibrate --add'."
                )
            found = profile.references
            return replace(found, bank=found.bank.to(self.device))
        if images is None:
            if isinstance(self._network, FrozenTower):
                raise UsageError(
                    f"{self.model.name} has no adapters and scores by comparison only; give images "
                    "of good parts as `reference`, or a profile that contains them."
                )
            return None
        return build_references(
            self._network,
            images,
            device=self.device,
            rotations=rotations,
            keep=patches,
            max_pixels=self.max_pixels,
            decode_seconds=self.decode_seconds,
        )

    def _unpack(
        self, items: list[PreparedImage], scores: Scores, experts: torch.Tensor | None
    ) -> Iterator[Result]:
        probability, raw_map = scores.probability.cpu().numpy(), scores.raw_map.cpu().numpy()
        values, map_max = scores.score.tolist(), scores.map_max.tolist()
        image_score, threshold = scores.image_score.tolist(), self.threshold.value
        zero_shot = None if scores.zero_shot is None else scores.zero_shot.tolist()
        compared = 0 if self.references is None else len(self.references.names)
        finite = finite_images(scores).tolist()
        for i, item in enumerate(items):
            if not finite[i]:
                self._check_with_test_image(item.prompt)
                error = f"The score is not a finite number in {self.precision}; {self._remedy}."
                yield Result(item.path, item.prompt, self.model.name, error=error)
                continue
            yield Result(
                item.path,
                item.prompt,
                self.model.name,
                score=values[i],
                verdict=ANOMALOUS if values[i] >= threshold else NORMAL,
                threshold=threshold,
                map_max=map_max[i],
                image_score=image_score[i],
                zero_shot=None if zero_shot is None else zero_shot[i],
                references=compared - (item.owner >= 0) if compared else None,
                percentile=self._percentile(values[i]),
                area_fraction=float((probability[i] >= threshold).mean()),
                regions=find_regions(probability[i], threshold, item.width, item.height),
                width=item.width,
                height=item.height,
                probability=probability[i],
                raw_map=raw_map[i],
                experts=None if experts is None else experts[i].numpy(),
                distances=None if scores.distances is None else scores.distances[i].cpu().numpy(),
                notes=item.notes,
            )

    def _percentile(self, score: float) -> float | None:
        """Share of the good scores below `score` in percent; None if none are known."""
        if not self._good_scores:
            return None
        return 100 * bisect_left(self._good_scores, score) / len(self._good_scores)

    def _check_with_test_image(self, prompt: str) -> None:
        """Stop if the network yields numbers that are not finite for an ordinary image, too."""
        if self._test_image_passed:
            return
        if not finite_images(self._forward.of_test_image(prompt)).all():
            raise ModelError(
                f"{self.model.name} cannot be used in {self.precision}: its numbers are not "
                f"finite, not even for a test image; {self._remedy}."
            )
        self._test_image_passed = True

    @property
    def _remedy(self) -> str:
        """Advice for numbers that are not finite."""
        return "use another `model`" if self.dtype == torch.float32 else "set `precision` to fp32"

    def _shrink(self, failed: int) -> None:
        if failed == 1:
            raise ModelError(
                f"Not enough memory on {self.device} for a single image; use a smaller "
                "`image_size`, a lower `precision` or another `device`."
            )
        with self._lock:
            self._fitting = min(self._fitting, failed // 2)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _adapter_after(self, block: int) -> int:
        if isinstance(self._network, FrozenTower):
            raise UsageError(f"There are no experts: {self.model.name} has no adapters.")
        layers = self._network.config.layers
        if block not in layers:
            raise UsageError(
                f"There are no experts after block {block}: this model has them after blocks "
                f"{', '.join(map(str, layers))}."
            )
        return layers.index(block)


def _builtin_model_of(profile: ReferenceProfile) -> str:
    """The built-in model that a profile names; no other is looked for, least of all downloaded."""
    name: str = profile.settings["model"]
    if name in BUILTIN_TOWERS or name in BUILTIN:
        return name
    raise UsageError(
        f"The profile is for the model {shortened(name)}, which is not built in; give its file as "
        "`model`."
    )
