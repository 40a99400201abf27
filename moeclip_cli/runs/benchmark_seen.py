"""Datasets that a model has seen in its training: its numbers there are not zero-shot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from moeclip_cli.bounded_text import shortened
from moeclip_cli.datasets.catalogue import published_around
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

    A published dataset is known by its name, own data by its name and the list of its images. A
    part of a published dataset, in its folder, counts as seen if the whole was, and the reverse.

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
        if isinstance(entry, dict) and _is_seen(dataset, entry):
            return _USES.get(str(entry.get("use")))
    settings = training.get("settings")
    if isinstance(settings, dict) and dataset.expected:
        for key, use in _SETTINGS.items():
            if settings.get(key) == dataset.name:
                return use
    return None


def _is_seen(dataset: Dataset, entry: Mapping[str, Any]) -> bool:
    if dataset.expected:
        return dataset.name in (entry.get("name"), entry.get("part_of"))
    if entry.get("name") == dataset.name and entry.get("listing") == dataset.digest:
        return True
    whole = published_around(dataset.root)
    return whole is not None and "part_of" not in entry and entry.get("name") == whole
