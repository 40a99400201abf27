"""The trained parts of MoECLIP in one module; its state dict is the content of a checkpoint."""

from __future__ import annotations

from torch import nn

from moeclip_cli.model.config import NetworkConfig
from moeclip_cli.model.detail import Detail
from moeclip_cli.model.experts import MoEAdapter
from moeclip_cli.model.heads import ImageHead, LearnedText, Projection, TextLayer
from moeclip_cli.model.self_comparison import SelfComparison


class Adapters(nn.Module):
    """The trained parts around a frozen backbone.

    Args:
        config: the network's configuration.
        vision_width: width D of the vision tower.
        text_width: width W of the text tower; None for a backbone without one, whose text features
            are learned.
        joint_dim: dimension C in which patches and text are compared.
    """

    def __init__(
        self, config: NetworkConfig, vision_width: int, text_width: int | None, joint_dim: int
    ) -> None:
        super().__init__()
        width = vision_width + (Detail.TOKEN_WIDTH if config.detail else 0)
        self.moe = nn.ModuleList(MoEAdapter(config, width) for _ in config.adapter_blocks)
        self.projections = nn.ModuleList(
            Projection(width, joint_dim, config.relu) for _ in range(config.projections)
        )
        self.image_head = ImageHead(width, joint_dim)
        self.text_layer = None if text_width is None else TextLayer(text_width, joint_dim)
        self.learned_text = LearnedText(joint_dim) if text_width is None else None
        compared = len(config.layers) if config.self_comparison else 0
        self.self_comparison = nn.ModuleList(SelfComparison(vision_width) for _ in range(compared))
        self.detail = Detail() if config.detail else None
