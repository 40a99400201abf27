"""The inspector: a loaded model that turns images into results, one each, in order."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeAlias, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from moeclip_cli.checkpoints.configuration import Domain
from moeclip_cli.checkpoints.loading import DEFAULT_MODEL, LoadedModel, load_model
from moeclip_cli.errors import ImageError, ModelError, UsageError
from moeclip_cli.images.decode import DEFAULT_MAX_PIXELS, decode
from moeclip_cli.images.pipeline import prefetch
from moeclip_cli.images.preprocess import preprocess
from moeclip_cli.images.prompts_file import DEFAULT_PROMPT
from moeclip_cli.inspection.device import (
    choose_device,
    choose_precision,
    default_batch_size,
    describe_device,
    ran_out_of_memory,
)
from moeclip_cli.inspection.profile import Profile
from moeclip_cli.inspection.regions import find_regions
from moeclip_cli.inspection.result import ANOMALOUS, NORMAL, Result
from moeclip_cli.inspection.scoring import Scores, score_scales
from moeclip_cli.inspection.thresholds import choose_threshold
from moeclip_cli.parallel.cores import choose_workers

ImageLike: TypeAlias = "str | os.PathLike[str] | Image.Image | NDArray[np.uint8]"
Prompt: TypeAlias = "str | Callable[[ImageLike], str]"

_T = TypeVar("_T")


@dataclass(frozen=True)
class _Loaded:
    """An image on its way to the network, or why it will not get there."""

    path: str
    prompt: str
    pixels: tuple[torch.Tensor, ...] = ()
    width: int = 0
    height: int = 0
    notes: tuple[str, ...] = ()
    error: str | None = None


class Inspector:
    """Scores images with one model on one device.

    Scoring is thread-safe: several threads may iterate over `score` of one inspector.

    Example:
        >>> inspector = Inspector.load()
        >>> for result in inspector.score(["part.png"], prompt="metal bracket"):
        ...     print(result.score, result.verdict, result.anomaly_map.shape)

    Attributes:
        model: the loaded network, its configuration, digest and name.
        device: where it runs.
        threshold: the threshold in use and where it came from.
        domain: "industrial" or "medical".
        image_size: side of the maps in pixels, and of the first network input.
        sizes: the sides in pixels of all network inputs that an image is seen at.
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
        max_pixels: int = DEFAULT_MAX_PIXELS,
    ) -> None:
        self.device = choose_device(device)
        self.dtype = choose_precision(precision)
        self.model = model
        self.domain: Domain = domain or model.config.domain
        self.threshold = choose_threshold(threshold, profile, model.config)
        self.image_size = model.network.config.image_size
        self.sizes = model.config.sizes
        if profile is not None:
            profile.check(self)
        self.max_pixels = max_pixels
        self._network = model.network
        self._network.set_precision(self.dtype)
        self._network.to(self.device).eval()
        self._texts: dict[str, torch.Tensor] = {}
        self._lock = threading.Lock()
        # Halved for good when memory runs out once: the next batch would not fit either.
        self._fitting = 2**30

    @classmethod
    def load(
        cls,
        model: str = DEFAULT_MODEL,
        *,
        backbone_weights: str | os.PathLike[str] | None = None,
        image_size: int | None = None,
        domain: Domain | None = None,
        threshold: float | None = None,
        profile: Profile | None = None,
        device: str = "auto",
        precision: str = "auto",
        max_pixels: int = DEFAULT_MAX_PIXELS,
    ) -> Inspector:
        """Load a model and put it on a device.

        Args:
            model: a built-in name, a checkpoint file, or `hf://owner/repo[/file][@revision]`.
            backbone_weights: a CLIP file to use instead of the one that the checkpoint names.
            image_size: the one side of the network input in pixels, if not the checkpoint's.
            domain: "industrial" or "medical", if not the checkpoint's; decides blur and formula.
            threshold: score in [0, 1] from which an image is anomalous, if not the profile's.
            profile: what `moeclip calibrate` found, if not the checkpoint's threshold is to be
                used; read it with `Profile.load`.
            device: "auto", "cpu", "cuda", "cuda:N" or "mps".
            precision: "auto" (float32), "fp32", "bf16" or "fp16".
            max_pixels: images with more pixels are refused unread, as decompression bombs.

        Raises:
            ModelError: if the model or its backbone cannot be found, fetched, trusted or fitted.
            UsageError: if the device, precision or threshold is not one, or the profile was made
                with other settings.
        """
        weights = Path(backbone_weights) if backbone_weights is not None else None
        choose_device(device)  # refuse a wrong device before minutes of download
        loaded = load_model(model, backbone_weights=weights, image_size=image_size)
        return cls(
            loaded,
            device=device,
            precision=precision,
            domain=domain,
            threshold=threshold,
            profile=profile,
            max_pixels=max_pixels,
        )

    @property
    def precision(self) -> str:
        """The floating-point type of the vision side, such as "float32"."""
        return str(self.dtype).removeprefix("torch.")

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
    ) -> Iterator[Result]:
        """Score images lazily: one result per image, in order, failed ones included.

        Args:
            images: paths, PIL images or (H, W, 3) uint8 RGB arrays; any mixture, any number.
            prompt: name of the object, or a function from an image to its name.
            batch_size: images per forward pass; default by device. Does not change the scores.
            workers: threads that decode ahead; default by the number of CPUs; 0 for none.
            experts_layer: block number of an adapter whose first choices go to `result.experts`.

        Raises:
            UsageError: if an argument is out of range.
        """
        if isinstance(images, (str, os.PathLike, Image.Image, np.ndarray)):
            images = [images]
        size = default_batch_size(self.device) if batch_size is None else batch_size
        if size < 1:
            raise UsageError(f"The batch size must be at least 1, not {size}.")
        adapter = None if experts_layer is None else self._adapter_after(experts_layer)
        return self._score(images, prompt, size, choose_workers(workers), adapter)

    def _score(
        self,
        images: Iterable[ImageLike],
        prompt: Prompt,
        batch_size: int,
        workers: int,
        adapter: int | None,
    ) -> Iterator[Result]:
        def load(image: ImageLike) -> _Loaded:
            return self._load(image, prompt if isinstance(prompt, str) else prompt(image))

        # One batch in the network, one ready behind it.
        loaded = prefetch(images, load, workers=workers, ahead=2 * batch_size)
        for batch in _batches(loaded, batch_size):
            yield from self._inspect(batch, adapter)

    def _load(self, image: ImageLike, prompt: str) -> _Loaded:
        source = Path(image) if isinstance(image, (str, os.PathLike)) else image
        path = str(source) if isinstance(source, Path) else ""
        try:
            decoded = decode(source, max_pixels=self.max_pixels)
        except ImageError as error:
            return _Loaded(path, prompt, error=str(error))
        height, width = decoded.pixels.shape[:2]
        pixels = tuple(preprocess(decoded.pixels, side) for side in self.sizes)
        return _Loaded(path, prompt, pixels, width, height, decoded.notes)

    def _inspect(self, batch: list[_Loaded], adapter: int | None) -> Iterator[Result]:
        good = [item for item in batch if item.error is None]
        results = iter(list(self._results(good, adapter)))
        for item in batch:
            if item.error is None:
                yield next(results)
            else:
                yield Result(item.path, item.prompt, self.model.name, error=item.error)

    def _results(self, items: list[_Loaded], adapter: int | None) -> Iterator[Result]:
        """Results of readable images, in as few forward passes as fit into memory."""
        for part in _batches(items, min(len(items), self._fitting) or 1):
            try:
                scores, experts = self._forward(part, adapter)
            except RuntimeError as error:
                if not ran_out_of_memory(error):
                    raise
                self._shrink(len(part))
            else:
                yield from self._unpack(part, scores, experts)
                continue
            # Outside the except block, where the failed batch's tensors are freed.
            yield from self._results(part, adapter)

    @torch.inference_mode()
    def _forward(
        self, items: list[_Loaded], adapter: int | None
    ) -> tuple[Scores, torch.Tensor | None]:
        text = torch.stack([self._text(item.prompt) for item in items])
        scales = [
            torch.stack(images) for images in zip(*(item.pixels for item in items), strict=True)
        ]
        comparisons = [
            self._network(images.to(self.device, non_blocking=True), text) for images in scales
        ]
        experts = None
        if adapter is not None:
            first = comparisons[0].routing[adapter].choice[:, 1:, 0]
            grid = round(first.shape[1] ** 0.5)
            experts = first.unflatten(1, (grid, grid)).cpu()
        weight = self.model.config.image_weight
        return score_scales(comparisons, self.image_size, self.domain, weight), experts

    def _unpack(
        self, items: list[_Loaded], scores: Scores, experts: torch.Tensor | None
    ) -> Iterator[Result]:
        probability, raw_map = scores.probability.cpu().numpy(), scores.raw_map.cpu().numpy()
        values, map_max = scores.score.tolist(), scores.map_max.tolist()
        image_score = scores.image_score.tolist()
        threshold = self.threshold.value
        for i, item in enumerate(items):
            yield Result(
                item.path,
                item.prompt,
                self.model.name,
                score=values[i],
                verdict=ANOMALOUS if values[i] >= threshold else NORMAL,
                threshold=threshold,
                map_max=map_max[i],
                image_score=image_score[i],
                area_fraction=float((probability[i] >= threshold).mean()),
                regions=find_regions(probability[i], threshold, item.width, item.height),
                width=item.width,
                height=item.height,
                probability=probability[i],
                raw_map=raw_map[i],
                experts=None if experts is None else experts[i].numpy(),
                notes=item.notes,
            )

    def _text(self, prompt: str) -> torch.Tensor:
        """Text features (C, 2), computed once per prompt."""
        with self._lock:
            if prompt not in self._texts:
                self._texts[prompt] = self._network.encode_text([prompt])[0]
            return self._texts[prompt]

    def _shrink(self, failed: int) -> None:
        if failed == 1:
            raise ModelError(
                f"There is not enough memory on {self.device} for a single image; "
                "use a smaller --image-size, --precision fp16 or another --device."
            )
        with self._lock:
            self._fitting = min(self._fitting, failed // 2)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _adapter_after(self, block: int) -> int:
        layers = self._network.config.layers
        if block not in layers:
            raise UsageError(
                f"There are no experts after block {block}; this model has them after blocks "
                f"{', '.join(map(str, layers))}."
            )
        return layers.index(block)


def _batches(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
