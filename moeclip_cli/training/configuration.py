"""Settings of a training.

`TrainingConfig` determines what a training computes and is saved with its result. Fields, defaults
and descriptions of the records in this module are also the options of `moeclip train`. The module
does not import PyTorch, so that the command line starts quickly.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import asdict, dataclass, field, replace
from math import inf
from typing import Any, cast, get_args

from moeclip_cli.choices import FALSE_ALARMS, Precision
from moeclip_cli.errors import UsageError
from moeclip_cli.model.config import NetworkConfig

SYNTHETIC = "synthetic"
# A resumed run may change these: they set the length of the training, not what a step computes.
LENGTH = ("epochs", "max_steps")
# The network's lists of blocks.
_BLOCKS = ("layers", "moe_layers")


@dataclass(frozen=True)
class Augmentation:
    """Random transformations of a normalised image together with its mask (paper section 4.1).

    Attributes:
        rotation: largest rotation in degrees, in either direction.
        rotation_p: probability of a rotation.
        translation: largest shift along each axis, as a fraction of the side.
        translation_p: probability of a shift.
        horizontal_flip_p: probability of a horizontal flip.
        vertical_flip_p: probability of a vertical flip.
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
    """Hyper-parameters of a training; the defaults are the paper's (section 4.1).

    Attributes:
        data: training data: the name of a dataset, a folder, a manifest, or "synthetic" for
            generated images.
        val_data: validation data for choosing the best epoch (same forms as the training data).
        val_fraction: fraction of the training data to hold out as validation data.
        network: configuration of the network.
        epochs: passes over the training images.
        max_steps: stop after this many optimiser steps, even if epochs remain.
        epoch_images: images per epoch of generated training data.
        batch_size: images per optimiser step, over all processes and accumulated parts.
        accumulate: parts per step for gradient accumulation; more parts need less memory.
        learning_rate: learning rate of Adam.
        beta1: coefficient beta1 of Adam.
        beta2: coefficient beta2 of Adam.
        milestones: steps after which the learning rate is multiplied by the decay.
        decay: factor of the learning rate at each milestone.
        balance_weight: weight of the balance loss.
        etf_weight: weight of the ETF loss.
        augmentation: random transformations of the training images.
        precision: precision of the frozen tower and of matrix products; trained tensors are
            float32.
        checkpoint_activations: recompute the tower's activations in the backward pass to save
            memory.
        false_alarms: fraction of the held-out normal images that may score above the threshold.
        seed: random seed.
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
    false_alarms: float = FALSE_ALARMS
    seed: int = 111

    def __post_init__(self) -> None:
        for name in ("epochs", "epoch_images", "batch_size", "accumulate"):
            _require(getattr(self, name) >= 1, name, "at least 1", self)
        _require(self.max_steps is None or self.max_steps >= 1, "max_steps", "at least 1", self)
        _require(0 < self.learning_rate < inf, "learning_rate", "above 0 and finite", self)
        for name in ("beta1", "beta2"):
            _require(0 <= getattr(self, name) < 1, name, "at least 0 and below 1", self)
        _require(0 < self.decay <= 1, "decay", "above 0 and at most 1", self)
        ascending = list(self.milestones) == sorted(set(self.milestones))
        from_1 = ascending and min(self.milestones, default=1) > 0
        _require(from_1, "milestones", "ascending numbers of steps from 1", self)
        for name in ("balance_weight", "etf_weight"):
            _require(0 <= getattr(self, name) < inf, name, "at least 0 and finite", self)
        _require(0 <= self.network.dropout < 1, "dropout", "at least 0 and below 1", self.network)
        _require(0 <= self.val_fraction < 1, "val_fraction", "at least 0 and below 1", self)
        _require(0 < self.false_alarms < 1, "false_alarms", "between 0 and 1", self)
        _require(self.seed >= 0, "seed", "at least 0", self)
        if self.val_data is not None and self.val_fraction:
            raise UsageError("Use either `val_data` or `val_fraction`, not both.")
        if self.batch_size % self.accumulate:
            raise UsageError(
                f"A batch of {self.batch_size} images cannot be split into {self.accumulate} equal "
                "parts; choose a `batch_size` that is a multiple of `accumulate`."
            )

    def as_released(self) -> TrainingConfig:
        """The configuration without the parts that the authors' released code leaves out.

        That code never enters training mode, which disables dropout and the ETF loss, and reads the
        weight of the balance loss under a name that does not exist, which makes it 0.
        """
        network = replace(self.network, dropout=0.0)
        return replace(self, network=network, balance_weight=0.0, etf_weight=0.0)

    def without_augmentation(self) -> TrainingConfig:
        """The configuration with all probabilities of transformations set to 0."""
        names = ("rotation_p", "translation_p", "horizontal_flip_p", "vertical_flip_p")
        never = dict.fromkeys(names, 0.0)
        return replace(self, augmentation=replace(self.augmentation, **never))

    def rate_at(self, step: int) -> float:
        """The learning rate of step `step`, counted from 0."""
        return float(self.learning_rate * self.decay ** bisect_right(self.milestones, step))

    def to_dict(self) -> dict[str, Any]:
        """The configuration in JSON types."""
        content = asdict(self)
        content["milestones"] = list(self.milestones)
        for name in _BLOCKS:
            if content["network"][name] is not None:
                content["network"][name] = list(content["network"][name])
        return content

    def options(self) -> dict[str, Any]:
        """The configuration by names of options, without the options that are not set."""
        content = self.to_dict()
        content |= content.pop("network") | content.pop("augmentation")
        for name in ("milestones", *_BLOCKS):
            if content[name] is not None:
                content[name] = ",".join(map(str, content[name]))
        return {name: value for name, value in content.items() if value is not None}


@dataclass(frozen=True)
class OutputOptions:
    """Files that a training writes, and how often; none of these changes a trained number.

    Attributes:
        save_minutes: minutes between saves within an epoch.
        log_every: steps per row of metrics.csv, which contains their mean.
        sample_every: steps between sets of sample pictures. Default: one set per epoch.
        samples: number of images in a set of sample pictures.
        keep_epochs: keep the adapters of every epoch.
        tensorboard: also log to TensorBoard.
    """

    save_minutes: float = 10.0
    log_every: int = 10
    sample_every: int | None = None
    samples: int = 4
    keep_epochs: bool = False
    tensorboard: bool = False


def choose_training_precision(name: str) -> Precision:
    """The precision called `name`; "auto" is fp32, the precision of the paper.

    Raises:
        UsageError: if the name is unknown.
    """
    for known in get_args(Precision):
        if name == known or (name, known) == ("auto", "fp32"):
            return cast(Precision, known)
    raise UsageError(f"Unknown precision '{name}'; use auto, {', '.join(get_args(Precision))}.")


def _require(holds: bool, name: str, condition: str, record: object) -> None:
    if not holds:
        raise UsageError(f"`{name}` must be {condition}, not {getattr(record, name)}.")
