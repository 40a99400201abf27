"""Reading files of `torch.save` without running any code that they contain."""

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
from moeclip_cli.parallel.memory import ran_out_of_memory

# Exceptions that pickle, zipfile and torch raise on malformed files.
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
    """The dictionary in a `.pt` or `.pth` file, by weights-only loading.

    Raises:
        ModelError: if the file is corrupt, contains no dictionary, or refers to anything but
            tensors and plain values. Loading such a file could run code, so all of it is refused.
    """
    try:
        # Given a path, torch would decide by its extension.
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about files that torch then refuses
            content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        culprit = re.search(r"GLOBAL ([\w.]+\w)", str(error))
        if culprit is not None:
            raise refused(path, culprit[1]) from error
        raise ModelError(
            f"{path} was refused: it is corrupt, or loading it could run code."
        ) from error
    except OSError as error:
        raise unreadable(path, error) from error
    except MALFORMED as error:
        raise misread(path, error) from error
    if not isinstance(content, dict):
        raise ModelError(
            f"{path} contains a {type(content).__name__}, not a dictionary of weights."
        )
    return content


def misread(path: Path, error: Exception) -> ModelError:
    """The error for a file that could not be read to its end because of `error`."""
    if ran_out_of_memory(error):  # also where a corrupt file claims huge tensors
        return ModelError(f"There is not enough memory to read {path}, or it is corrupt.")
    return damaged(path)


def refused(path: Path, culprit: str) -> ModelError:
    """The error for a file that refers to the function or class `culprit`."""
    return ModelError(
        f"{path} was refused, because loading it could run code: it contains '{culprit}' besides "
        "tensors. Ask its author for a file of tensors alone, preferably safetensors."
    )
