"""The file of a profile with references (`bracket.moeclip`): all that a line needs but the model.

It is safetensors: a tensor (N, D) in half precision for each level of the bank, and one text of
JSON metadata. Nothing in it is executed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save

from moeclip_cli.bounded_text import MEGABYTE
from moeclip_cli.checkpoints.configuration import read_record
from moeclip_cli.checkpoints.safetensors_file import read_safetensors
from moeclip_cli.checkpoints.tensors import check_tensors
from moeclip_cli.errors import UsageError
from moeclip_cli.files import replacing
from moeclip_cli.inspection.bundle_text import METADATA_KEY
from moeclip_cli.inspection.references import References
from moeclip_cli.model.bank import PatchBank

_FORMAT = 1
_LARGEST_FILE = 500 * MEGABYTE
_LARGEST_TEXT = 10 * MEGABYTE
_MOST_ROTATIONS = 36
# Half precision keeps the length of a unit vector to this.
_LENGTH_ERROR = 0.01


@dataclass(frozen=True)
class Bundle:
    """The content of a file.

    Attributes:
        profile: `Profile.to_json`.
        requested: rate of false alarms that was asked for, in (0, 1).
        references: at least two good parts.
    """

    profile: str
    requested: float
    references: References


def write_bundle(path: Path, bundle: Bundle) -> None:
    """Write the file that `read_bundle` reads.

    Raises:
        UsageError: if the file cannot be written.
    """
    references = bundle.references
    record = {
        "format": _FORMAT,
        "profile": bundle.profile,
        "requested": bundle.requested,
        "names": references.names,
        "digests": references.digests,
        "scores": references.scores,
        "counts": references.bank.counts(),
        "rotations": references.rotations,
    }
    tensors = {
        f"level.{number}": level.cpu().contiguous()
        for number, level in enumerate(references.bank.levels)
    }
    # ASCII, since a file name that is not UTF-8 has surrogates.
    content = save(tensors, {METADATA_KEY: json.dumps(record)})
    with replacing(path, "profile", durable=True) as stream:
        stream.write(content)


def read_bundle(path: Path) -> Bundle:
    """Read the file that `write_bundle` wrote; the text of the profile is not checked.

    Raises:
        UsageError: if the file is larger than 500 MB.
        ModelError, ValueError, TypeError, LookupError, RecursionError: if it is anything else.
    """
    if path.stat().st_size > _LARGEST_FILE:
        raise UsageError(
            f"Cannot read the profile {path}: it is larger than {_LARGEST_FILE // MEGABYTE} MB."
        )
    tensors, metadata = read_safetensors(path)
    if len(metadata[METADATA_KEY]) > _LARGEST_TEXT:
        raise ValueError("too much metadata")
    record: _Record = read_record(_Record, json.loads(metadata[METADATA_KEY]), "")
    bank = _bank(check_tensors(tensors, path), record.counts)
    references = References(bank, record.names, record.digests, record.scores, record.rotations)
    return Bundle(record.profile, record.requested, references)


@dataclass(frozen=True)
class _Record:
    """The metadata of a file, next to the tensors."""

    format: int
    profile: str
    requested: float
    names: tuple[str, ...]
    digests: tuple[str, ...]
    scores: tuple[float, ...]
    counts: tuple[int, ...]
    rotations: int

    def __post_init__(self) -> None:
        images = len(self.names)
        lengths = {images, len(self.digests), len(self.scores), len(self.counts)}
        if self.format != _FORMAT or images < 2 or lengths != {images}:
            raise ValueError("unknown format, or lists of different lengths")
        if not 0 < self.requested < 1:
            raise ValueError("impossible rate of false alarms")
        if not 1 <= self.rotations <= _MOST_ROTATIONS or 0 in self.counts:
            raise ValueError("impossible numbers of angles or patches")
        if len(set(self.digests)) < images or not all(0 <= score <= 1 for score in self.scores):
            raise ValueError("repeated references, or scores outside [0, 1]")


def _bank(tensors: dict[str, torch.Tensor], counts: Sequence[int]) -> PatchBank:
    total = sum(counts)
    levels = tuple(tensors[f"level.{number}"] for number in range(len(tensors)))
    for level in levels:
        if level.dtype != torch.float16 or level.dim() != 2 or len(level) != total:
            raise ValueError("unexpected type or shape")
        if ((level.float().norm(dim=1) - 1).abs() > _LENGTH_ERROR).any():
            raise ValueError("not unit vectors")
    if not levels:
        raise ValueError("no patches")
    return PatchBank(levels, torch.arange(len(counts)).repeat_interleave(torch.tensor(counts)))
