"""Recipe of the built-in model: all settings of its training in one immutable record."""

from __future__ import annotations

from dataclasses import dataclass

from moeclip_cli.errors import UsageError
from moeclip_cli.model.backbones.stem import ConvStem
from moeclip_cli.model.moeclip import MIN_GRID


@dataclass(frozen=True)
class Phase:
    """A phase of the training with its own image sizes.

    Attributes:
        share: fraction of the whole training.
        sizes: sides in pixels, one of which is drawn for each batch.
        pairs: number of pairs of a clean and a defective image per batch.
    """

    share: float
    sizes: tuple[int, ...]
    pairs: int


@dataclass(frozen=True)
class Recipe:
    """Settings of the training. The defaults start from random weights.

    Small images come first, because most of the task can be learned at any size and small images
    are cheap. Unlike in the paper, the vision tower is trained together with the adapters, because
    no pretrained tower is used; `losses.py` explains the differences of the losses.

    Attributes:
        start: folder of an earlier built-in model with the initial weights; None for random ones.
        start_share: share of the initial weights in the result, as in WiSE-FT (Wortsman et al.,
            2022): the mean of the weights before and after fine-tuning generalises better than
            either.
        width: width D of the vision tower.
        blocks: number of transformer blocks of the vision tower.
        text_width: width of the text tower, and the joint dimension.
        text_blocks: number of transformer blocks of the text tower.
        image_size: input size of the finished model in pixels.
        scales: further input sizes of the finished model in pixels.
        image_weight: weight of the finished model's image score, chosen on the validation pairs.
        phases: sizes and batches over the course of the training; the shares sum to 1.
        steps: length of the training in batches.
        experts: True if the adapters change the tokens.
        fofs: True if every expert reads its own slice of the features.
        aggregation: True if patches are also averaged over neighbourhoods.
        etf_weight: weight of the loss that spreads the experts' outputs.
        cells: share of pairs that show solar cells, in addition to those drawn by chance.
        text_steps: number of batches of sentences that the text tower is fitted on first, if the
            training starts from random weights.
        names: number of object names that the image side is then trained with.
        learning_rate: maximum learning rate of AdamW, reached after `warmup` steps.
        decay_from: fraction of the training after which the rate decreases linearly to nearly 0.
        warmup: number of steps in which the rate increases linearly.
        weight_decay: weight decay of AdamW, for matrices only.
        average: decay per step of the moving average of the weights, which is the result.
        validation_pairs: number of image pairs for the metrics and the threshold.
        seed: random seed.
        bf16: True to use bfloat16 autocast.
    """

    start: str | None = None
    start_share: float = 0.0
    width: int = 128
    blocks: int = 8
    text_width: int = 64
    text_blocks: int = 2
    image_size: int = 320
    scales: tuple[int, ...] = ()
    image_weight: float = 0.5
    phases: tuple[Phase, ...] = (
        Phase(0.15, (128,), 24),
        Phase(0.30, (160, 192, 224), 14),
        Phase(0.30, (224, 256, 288), 10),
        Phase(0.25, (288, 320, 352), 8),
    )
    steps: int = 7585
    experts: bool = True
    fofs: bool = True
    aggregation: bool = True
    etf_weight: float = 0.01
    cells: float = 0.08
    text_steps: int = 300
    names: int = 512
    learning_rate: float = 1e-3
    decay_from: float = 0.5
    warmup: int = 200
    weight_decay: float = 0.05
    average: float = 0.998
    validation_pairs: int = 400
    seed: int = 111
    bf16: bool = False

    def __post_init__(self) -> None:
        if self.start_share and self.start is None:
            raise UsageError("`start_share` requires an initial model; set `start` too.")
        if abs(sum(phase.share for phase in self.phases) - 1) > 1e-6:
            raise UsageError("The shares of the recipe's `phases` must sum to 1.")
        for size in (*self.sizes, *(s for phase in self.phases for s in phase.sizes)):
            if size % ConvStem.STRIDE or size < MIN_GRID * ConvStem.STRIDE:
                raise UsageError(
                    f"An image size must be a multiple of {ConvStem.STRIDE} and at least "
                    f"{MIN_GRID * ConvStem.STRIDE}, not {size}."
                )

    @property
    def sizes(self) -> tuple[int, ...]:
        """All input sizes of the finished model in pixels, `image_size` first."""
        return (self.image_size, *self.scales)

    def phase_at(self, progress: float) -> Phase:
        """Return the phase at a fraction `progress` of the training."""
        end = 0.0
        for phase in self.phases:
            end += phase.share
            if progress < end:
                return phase
        return self.phases[-1]

    def rate_at(self, step: int, progress: float) -> float:
        """Return the learning rate at a step."""
        warm = min(1.0, (step + 1) / self.warmup)
        decay = min(1.0, (1 - progress) / (1 - self.decay_from))
        return self.learning_rate * warm * max(decay, 0.01)


CONTINUED = Recipe(
    start="weights",
    start_share=0.35,
    image_size=448,
    scales=(320,),
    image_weight=0.75,
    phases=(Phase(1.0, (320, 384, 416, 448, 480), 6),),
    cells=0.12,
    steps=2861,
    learning_rate=2e-4,
    decay_from=0.0,
    warmup=100,
    seed=117,
)
"""Recipe for fine-tuning an earlier model: larger images and smaller steps."""
