"""Everything that decides what a training computes, in one record that is saved with its result."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, cast, get_args

from moeclip_cli.errors import UsageError
from moeclip_cli.model.config import NetworkConfig

Precision = Literal["fp32", "bf16", "fp16"]

SYNTHETIC = "synthetic"
# May differ when a run is resumed: they say how far it goes, not what a step does.
LENGTH = ("epochs", "max_steps")


@dataclass(frozen=True)
class Augmentation:
    """Random changes of normalised image and mask together (paper section 4.1).

    Attributes:
        rotation: largest angle in degrees, to either side.
        rotation_p: how probable a rotation is.
        translation: largest shift along either axis, as a fraction of the side.
        translation_p: how probable a shift is.
        horizontal_flip_p: how probable a mirror image is.
        vertical_flip_p: how probable an upside-down image is.
    """

    rotation: float = 30.0
    rotation_p: float = 0.5
    translation: float = 0.15
    translation_p: float = 0.5
    horizontal_flip_p: float = 0.5
    vertical_flip_p: float = 0.5

    def __post_init__(self) -> None:
        for name in ("rotation_p", "translation_p", "horizontal_flip_p", "vertical_flip_p"):
            _require(0 <= getattr(self, name) <= 1, name, "between 0 and 1", self)
        _require(0 <= self.rotation <= 180, "rotation", "between 0 and 180", self)
        _require(0 <= self.translation < 1, "translation", "at least 0 and below 1", self)


@dataclass(frozen=True)
class TrainingConfig:
    """Hyper-parameters; the defaults are the paper's (section 4.1).

    Attributes:
        data: what is trained on: a dataset's name, a folder, a manifest, or "synthetic".
        val_data: what the best epoch is chosen on, if anything.
        val_fraction: share of `data` that is held out for that, if anything.
        network: what the network computes.
        epochs: passes over the training images.
        max_steps: end after this many steps, if that comes first.
        epoch_images: images of an epoch of generated images, which have no end of their own.
        batch_size: images of one step, over all processes and accumulated parts.
        accumulate: parts that the images of one step are worked off in, to save memory.
        learning_rate: of Adam.
        beta1: of Adam.
        beta2: of Adam.
        milestones: steps after which the learning rate is multiplied by `decay`.
        decay: see `milestones`.
        balance_weight: weight of the balance loss.
        etf_weight: weight of the ETF loss.
        augmentation: random changes of the training images.
        precision: of the frozen tower and of matrix products; trained tensors are float32.
        checkpoint_activations: recompute the tower's activations in the backward pass.
        false_alarms: share of the held-out normal images that the threshold may call anomalous.
        seed: of everything random.
    """

    data: str
    val_data: str | None = None
    val_fraction: float = 0.0
    network: NetworkConfig = field(default_factory=NetworkConfig)
    epochs: int = 20
    max_steps: int | None = None
    epoch_images: int = 1000
    batch_size: int = 2
    accumulate: int = 1
    learning_rate: float = 5e-5
    beta1: float = 0.5
    beta2: float = 0.999
    milestones: tuple[int, ...] = (16_000, 32_000)
    decay: float = 0.5
    balance_weight: float = 0.01
    etf_weight: float = 0.01
    augmentation: Augmentation = field(default_factory=Augmentation)
    precision: Precision = "fp32"
    checkpoint_activations: bool = False
    false_alarms: float = 0.05
    seed: int = 111

    def __post_init__(self) -> None:
        for name in ("epochs", "epoch_images", "batch_size", "accumulate"):
            _require(getattr(self, name) >= 1, name, "at least 1", self)
        _require(self.max_steps is None or self.max_steps >= 1, "max_steps", "at least 1", self)
        _require(self.learning_rate > 0, "learning_rate", "above 0", self)
        for name in ("beta1", "beta2"):
            _require(0 <= getattr(self, name) < 1, name, "at least 0 and below 1", self)
        _require(0 < self.decay <= 1, "decay", "above 0 and at most 1", self)
        ascending = list(self.milestones) == sorted(set(self.milestones))
        _require(ascending and min(self.milestones, default=1) > 0, "milestones", "ascending", self)
        for name in ("balance_weight", "etf_weight"):
            _require(getattr(self, name) >= 0, name, "at least 0", self)
        _require(0 <= self.network.dropout < 1, "dropout", "at least 0 and below 1", self.network)
        _require(0 <= self.val_fraction < 1, "val_fraction", "at least 0 and below 1", self)
        _require(0 < self.false_alarms < 1, "false_alarms", "between 0 and 1", self)
        _require(self.seed >= 0, "seed", "at least 0", self)
        if self.val_data is not None and self.val_fraction:
            raise UsageError("Validate on --val-data or on --val-fraction of the data, not both.")
        if self.batch_size % self.accumulate:
            raise UsageError(
                f"A batch of {self.batch_size} images cannot be worked off in {self.accumulate} "
                "equal parts; choose --batch-size as a multiple of --accumulate."
            )

    def as_released(self) -> TrainingConfig:
        """The same, with what the authors' released code leaves out.

        It never enters training mode, which switches dropout and the ETF loss off, and reads the
        weight of the balance loss under a name that does not exist, which makes it 0.
        """
        network = replace(self.network, dropout=0.0)
        return replace(self, network=network, balance_weight=0.0, etf_weight=0.0)

    def rate_at(self, step: int) -> float:
        """The learning rate of step `step`, counted from 0."""
        return float(self.learning_rate * self.decay ** bisect_right(self.milestones, step))

    def to_dict(self) -> dict[str, Any]:
        """The configuration in JSON's types."""
        content = asdict(self)
        content["milestones"] = list(self.milestones)
        content["network"]["layers"] = list(self.network.layers)
        return content

    def options(self) -> dict[str, Any]:
        """The configuration by the names of the command's options, without what is not set."""
        content = self.to_dict()
        content |= content.pop("network") | content.pop("augmentation")
        for name in ("milestones", "layers"):
            content[name] = ",".join(map(str, content[name]))
        return {name: value for name, value in content.items() if value is not None}


def choose_training_precision(name: str) -> Precision:
    """The precision called `name`; "auto" is fp32, which the paper trains in.

    Raises:
        UsageError: if there is no such precision.
    """
    for known in get_args(Precision):
        if name == known or (name, known) == ("auto", "fp32"):
            return cast(Precision, known)
    raise UsageError(f"'{name}' is no precision; use auto, {', '.join(get_args(Precision))}.")


def _require(holds: bool, name: str, what: str, record: object) -> None:
    if not holds:
        option = name.replace("_", "-")
        raise UsageError(f"{option} must be {what}, not {getattr(record, name)}.")
