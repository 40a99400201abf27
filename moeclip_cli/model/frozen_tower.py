"""A vision tower as it was published, without adapters or text: for comparison with references."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from moeclip_cli.errors import ModelError
from moeclip_cli.model.backbones.family import Backbone
from moeclip_cli.model.config import NetworkConfig
from moeclip_cli.model.input_size import input_size
from moeclip_cli.model.levels import Levels, tower_levels
from moeclip_cli.model.moeclip import check_image_size
from moeclip_cli.model.precision import claim_precision
from moeclip_cli.model.preprocessing import Preprocessing


class FrozenTower(nn.Module):
    """Patch tokens of a frozen vision tower at some of its blocks.

    Args:
        config: `layers` are the blocks whose outputs are the levels; `image_size` is that of the
            network input of a square image. The rest is not used.
        backbone: the frozen tower.

    Raises:
        ModelError: if the configuration does not fit the backbone.
    """

    def __init__(self, config: NetworkConfig, backbone: Backbone) -> None:
        super().__init__()
        architecture = backbone.architecture
        check_image_size(config.image_size, architecture.patch_size)
        if config.layers[-1] > architecture.blocks:
            raise ModelError(
                f"There is no block {config.layers[-1]}: the backbone has {architecture.blocks} "
                "blocks; change `layers`."
            )
        self.config = config
        self.backbone = backbone

    @property
    def preprocessing(self) -> Preprocessing:
        """Resizing and normalisation that the tower expects of images."""
        return self.backbone.architecture.family.preprocessing

    def input_size(self, height: int, width: int, side: int) -> tuple[int, int]:
        """Height and width of the network input of an image, which keeps its aspect ratio.

        Args:
            height: of the image in pixels.
            width: of the image in pixels.
            side: of the network input of a square image, which has about as many pixels.
        """
        return input_size(height, width, side, self.backbone.architecture.patch_size)

    def set_precision(self, dtype: torch.dtype) -> None:
        """Run the tower in `dtype`.

        Raises:
            ModelError: if the network is in use in another type.
        """
        claim_precision(self, dtype)
        self.backbone.vision.to(dtype)

    def levels(self, images: Tensor) -> Levels:
        """Tokens of each level of normalised images (B, 3, H, W); there is no routing."""
        return tower_levels(self.backbone, self.config.layers, images)
