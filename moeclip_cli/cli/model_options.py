"""Options for the model that scores the images, and its references."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from moeclip_cli.arguments import require_device_name, require_threshold, require_unsure
from moeclip_cli.checkpoints.builtin import DEFAULT_MODEL, DEFAULT_TOWER
from moeclip_cli.checkpoints.formats import detect_format
from moeclip_cli.checkpoints.names import require_model
from moeclip_cli.cli import console
from moeclip_cli.cli.fastest import Measured, settle
from moeclip_cli.cli.options import MODEL, DeviceOptions
from moeclip_cli.datasets.only_good import require_only_good
from moeclip_cli.errors import UsageError
from moeclip_cli.model.config import Domain
from moeclip_cli.tiles.framing import Framing

if TYPE_CHECKING:
    from moeclip_cli.cli.image_options import ImageOptions
    from moeclip_cli.cli.product_options import Product
    from moeclip_cli.discovery.places import ImagePlace
    from moeclip_cli.inspection.inspector import Inspector

_WHOLE = Framing()


@dataclass(frozen=True)
class ModelOptions:
    """The model that scores the images.

    Attributes:
        model: built-in model, checkpoint file, or hf://owner/repo[/file][@revision].
        reference: image, folder or glob pattern of good parts to compare the images with. Can be
            repeated. The score is then the distance to the most similar good parts.
        reference_rotations: number of angles at which each reference is compared. 1 if parts always
            lie the same way, 8 if they lie in any way.
        backbone_weights: local CLIP weights file: OpenAI .pt, or open_clip .pt or .safetensors.
        domain: scoring domain. Default: domain of the checkpoint.
        image_size: network input size in pixels. Replaces all input sizes stored in the checkpoint.
    """

    PANEL: ClassVar[str] = MODEL

    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            show_default=f"{DEFAULT_MODEL}; with --reference or --mutual {DEFAULT_TOWER}",
        ),
    ] = None
    reference: Annotated[list[str] | None, typer.Option(show_default=False)] = None
    reference_rotations: Annotated[int, typer.Option(min=1, max=36)] = 1
    backbone_weights: Path | None = None
    domain: Domain | None = None
    image_size: int | None = None

    def check(
        self,
        device: DeviceOptions,
        threshold: float | None = None,
        unsure: float | None = None,
        *,
        compared: bool = False,
    ) -> None:
        """Refuse what is wrong with any model, before PyTorch is imported, which takes seconds.

        Args:
            device: device and precision.
            threshold: the threshold that the user gave, if any.
            unsure: the lower one that the user gave, if any.
            compared: there are references, also without `reference`.

        Raises:
            ModelError: if the model or the backbone file cannot be found.
            UsageError: if the device has an unknown name, a threshold is not a score, the lower
                one is not below it, rotations are given without references, or these are a dataset
                with defective images.
        """
        require_device_name(device.device)
        if self.reference_rotations > 1 and not (self.reference or compared):
            raise UsageError(
                "`reference_rotations` turns references; give them as `reference`, or omit it."
            )
        require_only_good(self.reference or ())
        if threshold is not None:
            require_threshold(threshold)
        if unsure is not None:
            require_unsure(unsure, threshold)
        if self.model is not None:
            require_model(self.model)
        if self.backbone_weights is not None:
            detect_format(self.backbone_weights)

    def measured(self, device: str, *, compares: bool) -> Measured:
        """The model, for its fastest precision on a device.

        Args:
            device: name of the device.
            compares: whether it compares images with others.
        """
        return Measured(
            self.model,
            device,
            self.backbone_weights,
            self.image_size,
            self.domain,
            compares=compares,
        )

    def load_inspector(
        self,
        device: DeviceOptions,
        *,
        quiet: bool,
        images: ImageOptions | None = None,
        product: Product | None = None,
        references: list[ImagePlace] | None = None,
        framing: Framing = _WHOLE,
    ) -> Inspector:
        """Load the model onto the device.

        Args:
            device: device and precision.
            quiet: show no status.
            images: limits on each image; None for the defaults.
            product: threshold or profile to use; None for the checkpoint's threshold.
            references: good parts for a profile, of which a few patches are kept; None for those of
                the option.
            framing: tiles and region of the images.

        Raises:
            ModelError, UsageError: see `Inspector.load`.
        """
        measured = self.measured(device.device, compares=bool(self.reference or references))
        profile = product.profile if product else None
        settled = settle(device.precision, measured, profile, quiet=quiet)
        with console.status("Loading the model", quiet=quiet):
            inspector = self.inspector_loader(
                replace(device, precision=settled.precision),
                images=images,
                product=product and replace(product, profile=settled.profile),
                references=references,
                framing=framing,
            )()
        inspector.facts |= settled.facts
        built = references is not None or self.reference
        if inspector.references is not None and built and not quiet:
            for remark in inspector.references.remarks():
                console.warn(remark)
        return inspector

    def inspector_loader(
        self,
        device: DeviceOptions,
        *,
        images: ImageOptions | None = None,
        product: Product | None = None,
        references: list[ImagePlace] | None = None,
        framing: Framing = _WHOLE,
    ) -> partial[Inspector]:
        """What loads the model, also in another process; see `load_inspector`."""
        # Importing PyTorch takes longer than loading a small model.
        from moeclip_cli.images.decode import DEFAULT_DECODE_SECONDS, DEFAULT_MAX_PIXELS
        from moeclip_cli.inspection.inspector import Inspector
        from moeclip_cli.model.bank import COMPARED_PATCHES, KEPT_PATCHES

        return partial(
            Inspector.load,
            self.model,
            references=self._references() if references is None else references,
            reference_patches=COMPARED_PATCHES if references is None else KEPT_PATCHES,
            reference_rotations=self.reference_rotations,
            backbone_weights=self.backbone_weights,
            image_size=self.image_size,
            domain=self.domain,
            threshold=product.threshold if product else None,
            unsure=product.unsure if product else None,
            profile=product.profile if product else None,
            device=device.device,
            precision=device.precision,
            max_pixels=(images and images.max_pixels) or DEFAULT_MAX_PIXELS,
            decode_seconds=(images and images.decode_seconds) or DEFAULT_DECODE_SECONDS,
            **vars(framing),
        )

    def _references(self) -> list[ImagePlace] | None:
        """The files of the references, or None if there are none.

        Raises:
            UsageError: if a path is not found or there are no images.
        """
        if not self.reference:
            return None
        from moeclip_cli.discovery.source import find_images

        return [ref.path for ref in find_images(self.reference)]
