"""The references of an inspector: those of its profile, or built from images of good parts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from moeclip_cli.arguments import require_at_least_one
from moeclip_cli.checkpoints.loading import LoadedModel
from moeclip_cli.errors import UsageError
from moeclip_cli.inspection.building import build_references
from moeclip_cli.inspection.profile import Profile, ReferenceProfile
from moeclip_cli.inspection.references import GoodParts, References
from moeclip_cli.inspection.window_bank import WindowReferences
from moeclip_cli.model.frozen_tower import FrozenTower


@dataclass(frozen=True, eq=False)
class ReferenceBuilder:
    """Builds references for a model on a device.

    Attributes:
        model: the network, on `device`.
        device: device of the network.
        max_pixels: images with more pixels are refused.
        decode_seconds: limit on the time to decode an image.
        windows: builds them for images that are scored in windows; None for whole images.
    """

    model: LoadedModel
    device: torch.device
    max_pixels: int
    decode_seconds: float
    windows: WindowReferences | None

    def choose(
        self, images: GoodParts | None, profile: Profile | None, rotations: int, keep: int | None
    ) -> References | None:
        """The references to compare with, if any.

        Args:
            images: good parts that the user named.
            profile: of the product; it may contain references.
            rotations: number of angles at which each image enters the bank.
            keep: number of patches of each image, level and angle in the bank; None for all.

        Raises:
            UsageError: if there are two sources of references, or none for a model that needs them,
                or a number is less than 1.
        """
        require_at_least_one("reference_rotations", rotations)
        if keep is not None:
            require_at_least_one("reference_patches", keep)
        if isinstance(profile, ReferenceProfile):
            if images is not None:
                raise UsageError(
                    "The profile contains its references; omit `reference`, or add the images with "
                    "'moeclip calibrate --add'."
                )
            images = profile.references
        if isinstance(images, References):
            return replace(images, bank=images.bank.to(self.device))
        if images is None:
            if isinstance(self.model.network, FrozenTower):
                raise UsageError(
                    f"{self.model.name} has no adapters and scores by comparison only; give images "
                    "of good parts as `reference`, or a profile that contains them."
                )
            return None
        return self.build(images, rotations, keep)

    def build(
        self,
        images: GoodParts,
        rotations: int,
        keep: int | None,
        earlier: References | None = None,
    ) -> References:
        """References from images; see `build_references`."""
        if self.windows is not None:
            return self.windows.build(images, rotations=rotations, keep=keep, earlier=earlier)
        return build_references(
            self.model.network,
            images,
            device=self.device,
            rotations=rotations,
            keep=keep,
            earlier=earlier,
            max_pixels=self.max_pixels,
            decode_seconds=self.decode_seconds,
        )
