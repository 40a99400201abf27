"""The text in the file of a profile with references, read without its tensors and PyTorch."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open

METADATA_KEY = "moeclip-profile"
"""Name of the text in the file."""


def read_profile_text(path: Path) -> str:
    """The text of the profile itself, which is not checked.

    Raises:
        ValueError, TypeError, LookupError, RecursionError: if the file is not a profile with
            references.
    """
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise ValueError(str(error)) from error
    text: str = json.loads(metadata[METADATA_KEY])["profile"]
    return text
