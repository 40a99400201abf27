"""Datasets that a model has seen in its training: its numbers there are not zero-shot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from moeclip_cli.bounded_text import shortened
from moeclip_cli.datasets.dataset import Dataset

_TRAINED = "was trained on"
_CHOSEN = "had its epoch chosen on"
_USES = {"training": _TRAINED, "validation": _CHOSEN}
# Of checkpoints that name their data as the user typed them, and no more.
_SETTINGS = {"data": _TRAINED, "val_data": _CHOSEN}


def seen_in_training(
    name: str, training: Mapping[str, Any], datasets: Iterable[Dataset]
) -> Iterator[str]:
    """Yield a sentence for each dataset that a model has seen.

    A published dataset is known by its name, own data by its name and the list of its images.

    Args:
        name: of the model.
        training: the record of its training, from its checkpoint.
        datasets: that it is tested on.
    """
    for dataset in datasets:
        use = _use_of(dataset, training)
        if use is not None:
            yield (
                f"{name} {use} {shortened(dataset.title)}: its numbers there do not show how it "
                "does on unseen products, and are not comparable with published ones."
            )


def _use_of(dataset: Dataset, training: Mapping[str, Any]) -> str | None:
    recorded = training.get("datasets")
    for entry in recorded if isinstance(recorded, list) else ():
        if not isinstance(entry, dict) or entry.get("name") != dataset.name:
            continue
        if dataset.expected or entry.get("listing") == dataset.digest:
            return _USES.get(str(entry.get("use")))
    settings = training.get("settings")
    if isinstance(settings, dict) and dataset.expected:
        for key, use in _SETTINGS.items():
            if settings.get(key) == dataset.name:
                return use
    return None
