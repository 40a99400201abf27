"""Training images with labels and masks, from files or generated."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.datasets.catalogue import published_around
from moeclip_cli.datasets.dataset import Dataset
from moeclip_cli.datasets.masks import read_mask
from moeclip_cli.datasets.opening import open_dataset
from moeclip_cli.datasets.synthetic import TRAINING_DEFECTS, TRAINING_FAMILIES, generate
from moeclip_cli.errors import DatasetError, ImageError
from moeclip_cli.images.decode import decode
from moeclip_cli.images.resized import resize_to_square
from moeclip_cli.model.config import Domain
from moeclip_cli.model.preprocessing import Preprocessing
from moeclip_cli.training.configuration import SYNTHETIC, TrainingConfig
from moeclip_cli.training.data import open_trainable

GENERATED_PROMPT = "object"

# A stream of random numbers of its own.
_SPLIT = 0
_VALIDATION_SEED = 1_000_003
_VALIDATION_IMAGES = 200


@dataclass(frozen=True, eq=False)
class Example:
    """One labelled image at the size of the network's input.

    Attributes:
        pixels: (S, S, 3) uint8 RGB.
        mask: (S, S) uint8, 1 where anomalous, else 0.
        label: 0 normal, 1 anomalous.
        prompt: name of the object.
        group: category, or variant of it, that metrics are computed over.
        masked: False for an anomalous image without a mask; `mask` is then empty.
    """

    pixels: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    label: int
    prompt: str
    group: str
    masked: bool = True

    @property
    def ground_truth(self) -> NDArray[np.uint8] | None:
        """The mask, or None if it is unknown which pixels are anomalous."""
        return self.mask if self.masked else None


class Examples(Protocol):
    """A sequence of labelled images that are read or generated on access."""

    @property
    def domain(self) -> Domain:
        """Kind of images."""

    @property
    def preprocessing(self) -> Preprocessing:
        """Resizing and normalisation that the backbone expects."""

    @property
    def digest(self) -> str:
        """Identifier of the sequence: equal only for the same images."""

    @property
    def source(self) -> dict[str, str] | None:
        """Name of the dataset and SHA-256 of its listing; None if the images are generated."""

    def __len__(self) -> int:
        """Number of images of one epoch."""

    def load(self, index: int, epoch: int = 0) -> Example:
        """Load an image; generated ones differ in every epoch.

        Raises:
            DatasetError: if its files cannot be used.
        """


class DatasetExamples:
    """The images of a dataset.

    Args:
        dataset: the images; those to train on have masks where anomalous.
        size: side of the network input in pixels.
        preprocessing: resizing and normalisation that the backbone expects.
        whole: the dataset that the images are a part of, if they are not all of it.
    """

    def __init__(
        self,
        dataset: Dataset,
        size: int,
        preprocessing: Preprocessing,
        whole: Dataset | None = None,
    ) -> None:
        self.dataset = dataset
        self.whole = whole or dataset
        self.size = size
        self.preprocessing = preprocessing

    @property
    def domain(self) -> Domain:
        """Kind of images."""
        return self.dataset.domain

    @property
    def digest(self) -> str:
        """SHA-256 of the rows that list the images."""
        return self.dataset.digest

    @property
    def source(self) -> dict[str, str]:
        """Name and listing of the dataset, of which these images may be a part.

        Of own data in the folder of a published dataset, also the name of that.
        """
        whole = self.whole
        around = None if whole.expected else published_around(whole.root)
        part = {} if around is None else {"part_of": around}
        return {"name": whole.name, "listing": whole.digest, **part}

    def __len__(self) -> int:
        """Number of images."""
        return len(self.dataset.samples)

    def load(self, index: int, epoch: int = 0) -> Example:
        """Load an image, the same in every epoch.

        Raises:
            DatasetError: if the image or its mask cannot be used.
        """
        sample = self.dataset.samples[index]
        try:
            pixels = decode(sample.image).pixels
        except ImageError as error:
            raise DatasetError(
                f"{sample.image} cannot be used: {error} "
                "'moeclip datasets check' finds every such file."
            ) from error
        if sample.mask is None:
            mask = np.zeros((self.size, self.size), np.uint8)
        else:
            mask = read_mask(sample.mask, self.size, expected=pixels.shape[:2])
        prompt = self.dataset.prompts[sample.category]
        square = resize_to_square(pixels, self.size, self.preprocessing.interpolation)
        masked = sample.mask is not None or not sample.label
        return Example(square, mask, sample.label, prompt, sample.group, masked)


class GeneratedExamples:
    """Generated images, alternately clean and defective; every epoch has new ones.

    Families and defects reserved for the evaluation of the built-in model are left out, so that a
    model trained here can be compared with it.

    Args:
        seed: seed of the images.
        count: number of images of one epoch.
        size: side of the network input in pixels.
        preprocessing: normalisation that the backbone expects.
    """

    domain: Domain = "industrial"
    source = None

    def __init__(self, seed: int, count: int, size: int, preprocessing: Preprocessing) -> None:
        self.seed = seed
        self.count = count
        self.size = size
        self.preprocessing = preprocessing

    @property
    def digest(self) -> str:
        """Seed and number of images."""
        return f"generated {self.seed} {self.count}"

    def __len__(self) -> int:
        """Number of images of one epoch."""
        return self.count

    def load(self, index: int, epoch: int = 0) -> Example:
        """Generate an image; no clean and defective ones have the same scene."""
        number = epoch * self.count + index
        pair = generate(self.seed, number, self.size, TRAINING_FAMILIES, TRAINING_DEFECTS)
        label = number % 2
        pixels = pair.defective if label else pair.clean
        mask = (pair.mask if label else np.zeros_like(pair.mask)).astype(np.uint8)
        return Example(pixels, mask, label, GENERATED_PROMPT, GENERATED_PROMPT)


def open_examples(
    config: TrainingConfig, data_root: Path | None, preprocessing: Preprocessing
) -> tuple[Examples, Examples | None]:
    """Open the images to train on and, if requested, those to validate on.

    Args:
        config: names of the data and sizes.
        data_root: folder of the published datasets.
        preprocessing: resizing and normalisation that the backbone expects.

    Raises:
        DatasetError: if a dataset is not found, or cannot be trained on.
    """
    size = config.network.image_size
    held_out: Examples | None = None
    if config.data == SYNTHETIC:
        training: Examples = GeneratedExamples(
            config.seed, config.epoch_images, size, preprocessing
        )
        count = round(config.val_fraction * config.epoch_images)
        if count:
            held_out = GeneratedExamples(config.seed + _VALIDATION_SEED, count, size, preprocessing)
    else:
        dataset = open_trainable(config.data, data_root)
        remaining, validation = split(dataset, config.val_fraction, config.seed)
        training = DatasetExamples(remaining, size, preprocessing, dataset)
        if validation.samples:
            held_out = DatasetExamples(validation, size, preprocessing, dataset)
    if config.val_fraction and held_out is None:
        raise DatasetError(
            f"`val_fraction` {config.val_fraction:g} of {config.data} is less than one image; use "
            "a larger fraction or `val_data`."
        )
    if len(training) < config.batch_size:
        raise DatasetError(
            f"{config.data} has {len(training)} images to train on, fewer than one batch of "
            f"{config.batch_size}; use a smaller `batch_size` or more images."
        )
    if config.val_data == SYNTHETIC:
        seed = config.seed + _VALIDATION_SEED
        return training, GeneratedExamples(seed, _VALIDATION_IMAGES, size, preprocessing)
    if config.val_data is not None:
        dataset = open_dataset(config.val_data, data_root)
        return training, DatasetExamples(dataset, size, preprocessing)
    return training, held_out


def split(dataset: Dataset, fraction: float, seed: int) -> tuple[Dataset, Dataset]:
    """Hold out a fraction of the images of every category and label.

    Returns:
        The images to train on and the held-out ones.
    """
    groups: dict[tuple[str, int], list[int]] = defaultdict(list)
    for index, sample in enumerate(dataset.samples):
        groups[sample.group, sample.label].append(index)
    rng = np.random.default_rng([seed, _SPLIT])
    held: set[int] = set()
    for indices in groups.values():
        count = round(fraction * len(indices))
        held.update(int(index) for index in rng.permutation(indices)[:count])
    parts = [
        tuple(s for index, s in enumerate(dataset.samples) if (index in held) == is_held)
        for is_held in (False, True)
    ]
    return replace(dataset, samples=parts[0]), replace(dataset, samples=parts[1])
