"""Recipe of moeclip-small: all settings of its training in one immutable record."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """Settings of the training.

    Attributes:
        layers: levels of the frozen tower.
        size: side of the pictures in pixels, in training and in the finished model.
        pairs: number of pairs of a clean and a defective picture that the training goes through.
        photographs: share of pairs with defects planted into photographs; the others are generated.
        aggregation: compute maps of 3x3 and 5x5 means too, as in the paper.
        self_comparison: compare every patch with its own image.
        detail: put the tokens of the second tower beside those of DINOv2.
        detail_dropout: share of pairs without the tokens of the second tower, so that those of
            DINOv2 have to do alone, too.
        relu: apply a LeakyReLU after the projections.
        joint_dim: dimension in which patches and text are compared.
        mix: weight of the adapted token; 0 for no experts.
        steps: length of the training in batches.
        batch: pairs per batch of whole pictures; there are twice as many pairs of windows.
        window: side of the windows in patches.
        windows: fraction of the training that sees windows of the pictures, before it sees them
            whole. A window costs a quarter of the time.
        learning_rate: maximum learning rate of AdamW, reached after `warmup` steps.
        decay_from: fraction of the training after which the rate decreases linearly to nearly 0.
        warmup: number of steps in which the rate increases linearly.
        weight_decay: weight decay of AdamW, for matrices only.
        average: decay per step of the moving average of the weights, which is the result.
        etf_weight: weight of the loss that spreads the experts' outputs.
        balance_weight: weight of the loss that balances the experts.
        image_weight: weight of the finished model's image score.
        choosing: pairs of each kind, generated and photographs, to choose and to set the threshold.
        seed: random seed.
    """

    layers: tuple[int, ...] = (3, 6, 9)
    size: int = 448
    pairs: int = 1600
    photographs: float = 0.5
    aggregation: bool = False
    self_comparison: bool = True
    detail: bool = True
    detail_dropout: float = 0.0
    relu: bool = True
    joint_dim: int = 256
    mix: float = 0.1
    steps: int = 1500
    batch: int = 8
    window: int = 16
    windows: float = 0.85
    learning_rate: float = 1e-3
    decay_from: float = 0.5
    warmup: int = 50
    weight_decay: float = 0.05
    average: float = 0.995
    etf_weight: float = 0.01
    balance_weight: float = 0.01
    image_weight: float = 0.5
    choosing: int = 150
    seed: int = 118
