"""Training of the built-in model from nothing but generated images."""

from moeclip_cli.training.mini.loop import train_mini
from moeclip_cli.training.mini.recipe import CONTINUED, Phase, Recipe

__all__ = ["CONTINUED", "Phase", "Recipe", "train_mini"]
