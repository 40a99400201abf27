"""Reading what `torch.save` wrote, without ever running code that is in the file."""

from __future__ import annotations

import pickle
import re
import struct
import warnings
from pathlib import Path
from typing import Any

import torch

from moeclip_cli.checkpoints.formats import damaged, unreadable
from moeclip_cli.errors import ModelError

# What pickle, zipfile and torch raise on bytes that are not what they should be.
MALFORMED = (
    RuntimeError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    MemoryError,
    pickle.UnpicklingError,
    struct.error,
)


def read_torch_file(path: Path) -> dict[Any, Any]:
    """The dictionary that a `.pt` or `.pth` file holds, by weights-only loading.

    Raises:
        ModelError: if the file is damaged, holds no dictionary, or refers to anything but tensors
            and plain values. Loading such a file could run code, so nothing of it is used.
    """
    try:
        # Given a path, torch would go by its extension.
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of oddities in files that torch then refuses
            content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        culprit = re.search(r"GLOBAL ([\w.]+\w)", str(error))
        if culprit is not None:
            raise refused(path, culprit[1]) from error
        raise ModelError(
            f"{path} was refused: it is damaged, or holds objects that could run code when loaded."
        ) from error
    except OSError as error:
        raise unreadable(path, error) from error
    except MALFORMED as error:
        raise damaged(path) from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} holds no weights but a {type(content).__name__}.")
    return content


def refused(path: Path, what: str) -> ModelError:
    """The error for a file that refers to the function or class `what`."""
    return ModelError(
        f"{path} was refused, because loading it could run code: it holds '{what}' besides "
        "tensors; ask its author for the tensors alone, best as safetensors."
    )
