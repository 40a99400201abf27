"""The datasets of a training: whether they are there and complete; PyTorch is not needed."""

from __future__ import annotations

from pathlib import Path

from moeclip_cli.datasets.dataset import Dataset
from moeclip_cli.datasets.opening import open_dataset
from moeclip_cli.errors import DatasetError
from moeclip_cli.training.configuration import SYNTHETIC, TrainingConfig


def require_data(config: TrainingConfig, data_root: Path | None) -> list[str]:
    """Refuse data that cannot be opened or trained on.

    Args:
        config: names of the data.
        data_root: folder of the published datasets.

    Returns:
        A sentence about each part of the model that cannot be learned from the data.

    Raises:
        DatasetError: if a dataset is not found, or cannot be trained on.
    """
    remarks = []
    if config.data != SYNTHETIC:
        dataset = open_trainable(config.data, data_root)
        if all(sample.label for sample in dataset.samples):
            remarks.append(
                f"{dataset.title} in {dataset.root} has no normal images: anomaly maps are "
                "trained, but image scores are not. Add normal images, or judge the maps alone."
            )
    if config.val_data not in (None, SYNTHETIC):
        open_dataset(config.val_data, data_root)
    return remarks


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
                f"complete it ('moeclip datasets check {dataset.name}' counts all categories), or "
                f"train on a part: put what 'moeclip datasets list {dataset.name} --format csv' "
                "prints into a manifest in that folder."
            )
    return dataset
