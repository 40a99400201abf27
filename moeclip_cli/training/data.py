"""The datasets of a training: whether they are there and complete; PyTorch is not needed."""

from __future__ import annotations

from pathlib import Path

from moeclip_cli.datasets.dataset import Dataset
from moeclip_cli.datasets.opening import open_dataset
from moeclip_cli.errors import DatasetError
from moeclip_cli.training.configuration import SYNTHETIC, TrainingConfig


def require_data(config: TrainingConfig, data_root: Path | None) -> None:
    """Refuse data that cannot be opened or trained on.

    Args:
        config: names of the data.
        data_root: folder of the published datasets.

    Raises:
        DatasetError: if a dataset is not found, or cannot be trained on.
    """
    if config.data != SYNTHETIC:
        open_trainable(config.data, data_root)
    if config.val_data not in (None, SYNTHETIC):
        open_dataset(config.val_data, data_root)


def open_trainable(name: str, data_root: Path | None) -> Dataset:
    """Open a dataset to train on.

    Raises:
        DatasetError: if it is not found, or lacks defects, masks or a category.
    """
    dataset = open_dataset(name, data_root)
    anomalous = [sample for sample in dataset.samples if sample.label]
    unmasked = [sample for sample in anomalous if sample.mask is None]
    if not anomalous:
        raise DatasetError(
            f"{dataset.title} in {dataset.root} has no anomalous images, which training requires; "
            "'moeclip datasets synthesize' plants defects into normal ones."
        )
    if unmasked:
        raise DatasetError(
            f"{len(unmasked)} anomalous images of {dataset.title} in {dataset.root} have no mask "
            f"(the first is {dataset.relative(unmasked[0].image)}); add a mask for each."
        )
    for category in dataset.expected:
        if category not in dataset.categories:
            raise DatasetError(
                f"The category {category} of {dataset.title} in {dataset.root} has no images; "
                f"'moeclip datasets check {dataset.name}' counts those of all categories."
            )
    return dataset
