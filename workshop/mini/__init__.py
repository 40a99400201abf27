"""Training of the built-in model on generated images."""

from mini.loop import train_mini
from mini.recipe import CONTINUED, Phase, Recipe

__all__ = ["CONTINUED", "Phase", "Recipe", "train_mini"]
