"""A model on its device: what all inspectors have in common."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from moeclip_cli.arguments import require_at_least_one, require_batch_size, require_choice
from moeclip_cli.checkpoints.loading import LoadedModel
from moeclip_cli.discovery.places import ImagePlace
from moeclip_cli.errors import ModelError, UsageError
from moeclip_cli.images.decode import decode
from moeclip_cli.inspection.prepared import PreparedImage, batches, in_equal_shapes
from moeclip_cli.log import LOGGER
from moeclip_cli.model.config import Domain
from moeclip_cli.parallel.device import (
    choose_device,
    choose_precision,
    default_batch_size,
    describe_device,
)
from moeclip_cli.parallel.memory import memory_errors, ran_out_of_memory
from moeclip_cli.parallel.versions import torch_versions

_T = TypeVar("_T")
_R = TypeVar("_R")


class PlacedModel:
    """A model on a device, with the limits on images.

    Attributes:
        model: the loaded network, its configuration, digest and name.
        device: device of the network.
        dtype: floating-point type of its vision side.
        domain: "industrial" or "medical".
        image_size: side in pixels of the maps and of the first network input.
        sizes: sides in pixels of all network inputs.
        max_pixels: images with more pixels are refused.
        decode_seconds: limit on the time to decode an image.
        facts: how settings were chosen, for a run card.
    """

    def __init__(
        self,
        model: LoadedModel,
        *,
        device: str,
        precision: str,
        domain: Domain | None,
        max_pixels: int,
        decode_seconds: float,
    ) -> None:
        self.device = choose_device(device)
        self.dtype = choose_precision(precision)
        self.model = model
        self.domain: Domain = domain or model.config.domain
        require_choice("domain", self.domain, get_args(Domain))
        self.image_size = model.network.config.image_size
        self.sizes = model.config.sizes
        if not decode_seconds > 0:
            raise UsageError(f"`decode_seconds` must be above 0, not {decode_seconds}.")
        require_at_least_one("max_pixels", max_pixels)
        self.max_pixels = max_pixels
        self.decode_seconds = decode_seconds
        self.facts: dict[str, Any] = {}
        self._network = model.network
        self._network.set_precision(self.dtype)
        with memory_errors(
            f"There is not enough memory on {self.device} for the model; use a lower `precision` "
            "or another `device`."
        ):
            self._network.to(self.device).eval()
        LOGGER.info("%s is ready on %s.", model.name, self.where)
        self._lock = threading.Lock()
        # Halved permanently when memory runs out: the next batch would not fit either.
        self._fitting = 2**30

    @property
    def precision(self) -> str:
        """The floating-point type of the vision side, such as "float32"."""
        return str(self.dtype).removeprefix("torch.")

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that the scores depend on besides image and prompt, in JSON types.

        Device, batch size and workers are left out: they do not change a score.
        """
        return {
            "model": self.model.name,
            "model_digest": self.model.digest,
            "backbone": self.model.config.backbone.name,
            "backbone_digest": self.model.backbone_digest,
            "image_size": self.image_size,
            "scales": list(self.model.config.scales),
            "domain": self.domain,
            "precision": self.precision,
        }

    @property
    def where(self) -> str:
        """Device and precision in words."""
        return f"{self.device_name}, {self.precision}"

    @property
    def device_name(self) -> str:
        """The device in words, such as "cpu, 8 threads"."""
        return describe_device(self.device)

    @property
    def default_batch_size(self) -> int:
        """Images per forward pass, unless the user chooses otherwise."""
        return default_batch_size(self.device)

    @property
    def versions(self) -> dict[str, str]:
        """Versions of the packages that run the network."""
        return torch_versions()

    def read_pixels(self, path: ImagePlace) -> NDArray[np.uint8]:
        """Decode an image within the limits of this inspector, (H, W, 3) uint8 RGB.

        Raises:
            ImageError: if the file cannot be read or exceeds a limit.
        """
        return decode(path, max_pixels=self.max_pixels, decode_seconds=self.decode_seconds).pixels

    def map_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width in pixels of the maps of an image of the given size."""
        return self._network.input_size(height, width, self.image_size)

    def _batch_size(self, given: int | None) -> int:
        """Images per forward pass: as given, or the default of the device."""
        return require_batch_size(self.default_batch_size if given is None else given)

    def _in_passes(
        self, items: Sequence[PreparedImage], work: Callable[[list[PreparedImage]], list[_R]]
    ) -> list[_R]:
        """Results of `work` for images without an error, in their order.

        Images that pass the network together have network inputs of the same shapes.
        """
        return in_equal_shapes(items, lambda part: self._in_fitting_batches(part, work))

    def _in_fitting_batches(
        self, items: Sequence[_T], work: Callable[[list[_T]], list[_R]]
    ) -> Iterator[_R]:
        """Results of `work` for all items, in as few calls as memory allows."""
        for part in batches(items, min(len(items), self._fitting) or 1):
            try:
                results = work(part)
            except (RuntimeError, MemoryError) as error:
                if not ran_out_of_memory(error):
                    raise
                self._shrink(len(part))
            else:
                yield from results
                continue
            # Outside the except block, so that the tensors of the failed batch are freed.
            yield from self._in_fitting_batches(part, work)

    def _shrink(self, failed: int) -> None:
        if failed == 1:
            raise ModelError(
                f"Not enough memory on {self.device} for a single image; use a smaller "
                "`image_size`, a lower `precision` or another `device`."
            )
        with self._lock:
            self._fitting = min(self._fitting, failed // 2)
        LOGGER.warning(
            "Memory on %s does not suffice for %d images; batches have at most %d from now on.",
            self.device,
            failed,
            failed // 2,
        )
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    @property
    def _remedy(self) -> str:
        """Advice for numbers that are not finite."""
        return "use another `model`" if self.dtype == torch.float32 else "set `precision` to fp32"
