"""The detail tower of moeclip-small: the vision tower of moeclip-mini with its adapters."""

from __future__ import annotations

from moeclip_cli.checkpoints.loading import load_model
from moeclip_cli.model.detail import DetailTower

MINI = "moeclip-mini"


def detail_of_mini() -> DetailTower:
    """The tower, frozen; mean and deviation of its tokens are not yet measured."""
    mini = load_model(MINI).network
    tower = DetailTower()
    tower.vision.load_state_dict(mini.backbone.vision.state_dict())
    tower.moe.load_state_dict(mini.adapters.moe.state_dict())
    return tower.eval()
