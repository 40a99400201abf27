"""The second tower of moeclip-small: the vision tower of moeclip-mini with its adapters."""

from __future__ import annotations

from moeclip_cli.checkpoints.loading import load_model
from moeclip_cli.model.backbones.family import Backbone
from moeclip_cli.model.detail import Detail

MINI = "moeclip-mini"


def detail_of_mini() -> tuple[Backbone, Detail]:
    """The tower and its adapters; mean and deviation of the tokens are not yet measured."""
    mini = load_model(MINI).network
    detail = Detail()
    detail.moe.load_state_dict(mini.adapters.moe.state_dict())
    return mini.backbone, detail.eval()
