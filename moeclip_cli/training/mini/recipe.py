"""Everything that decides what the built-in model becomes, in one immutable record."""

from __future__ import annotations

from dataclasses import dataclass

from moeclip_cli.errors import UsageError
from moeclip_cli.model.moeclip import MIN_GRID
from moeclip_cli.model.stem import ConvStem


@dataclass(frozen=True)
class Phase:
    """A stretch of the training with images of one kind of size.

    Attributes:
        share: part of the whole training, a fraction.
        sizes: sides in pixels, one drawn for each batch.
        pairs: pairs of a clean and a defective image in a batch.
    """

    share: float
    sizes: tuple[int, ...]
    pairs: int


@dataclass(frozen=True)
class Recipe:
    """How the built-in model is made. The defaults begin with nothing.

    Small images first: most of what there is to learn shows at any size, and small images are
    cheap. The vision tower is trained together with the adapters, unlike in the paper, because
    there is no pretrained one; the losses are the paper's except where `losses.py` says why not.

    Attributes:
        start: folder of an earlier built-in model whose weights the training begins with; random
            weights if None.
        kept: share of those weights in the result, as in WiSE-FT (Wortsman et al., 2022): the mean
            of weights before and after a further training generalises better than either.
        width: width D of the vision tower.
        blocks: number of its transformer blocks.
        text_width: width of the text tower, and the joint dimension.
        text_blocks: number of its transformer blocks.
        image_size: side in pixels of the images that the finished model is used with.
        scales: further sides in pixels that the finished model sees an image at.
        image_weight: of the finished model, chosen on the validation pairs.
        phases: sizes and batches over the course of the training; the shares sum to 1.
        steps: length of the training in batches.
        experts: whether the adapters change the tokens at all.
        fofs: whether every expert reads its own slice of the features.
        aggregation: whether patches are averaged over neighbourhoods too.
        etf_weight: of the loss that spreads the experts' outputs.
        names: names of objects that the image side is trained with.
        cells: share of the pairs that show solar cells, beside those that chance draws.
        text_steps: batches of sentences that the text tower is fitted with beforehand.
        learning_rate: highest learning rate of AdamW, reached after `warmup` steps.
        decay_from: fraction of the training after which the rate falls linearly to nearly 0.
        warmup: steps of linear growth of the rate.
        weight_decay: of AdamW, on matrices only.
        average: decay per step of the moving average of the weights, which is what is kept.
        validation_pairs: pairs of images that quality and threshold are measured on.
        seed: everything random follows from it.
        bf16: bfloat16 autocast, on processors that are fast in it.
    """

    start: str | None = None
    kept: float = 0.0
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
        if self.kept and self.start is None:
            raise UsageError("Weights can be kept only of a model to start with; set start too.")
        if abs(sum(phase.share for phase in self.phases) - 1) > 1e-6:
            raise UsageError("The shares of the recipe's phases must sum to 1.")
        for size in (*self.sizes, *(s for phase in self.phases for s in phase.sizes)):
            if size % ConvStem.STRIDE or size < MIN_GRID * ConvStem.STRIDE:
                raise UsageError(
                    f"Image sizes are multiples of {ConvStem.STRIDE} from "
                    f"{MIN_GRID * ConvStem.STRIDE}, not {size}."
                )

    @property
    def sizes(self) -> tuple[int, ...]:
        """All sides in pixels at which the finished model sees an image, `image_size` first."""
        return (self.image_size, *self.scales)

    def phase_at(self, progress: float) -> Phase:
        """The phase that is on when `progress` (0 to 1) of the training is done."""
        end = 0.0
        for phase in self.phases:
            end += phase.share
            if progress < end:
                return phase
        return self.phases[-1]

    def rate_at(self, step: int, progress: float) -> float:
        """Learning rate at a step."""
        warm = min(1.0, (step + 1) / self.warmup)
        decay = min(1.0, (1 - progress) / (1 - self.decay_from))
        return self.learning_rate * warm * max(decay, 0.01)


CONTINUED = Recipe(
    start="weights",
    kept=0.35,
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
"""A further training on top of an earlier one: larger images and smaller steps."""
