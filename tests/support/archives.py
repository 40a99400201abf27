"""Zip archives of weights with an entry that PyTorch would not write."""

from __future__ import annotations

import zipfile
from pathlib import Path


def rewritten(path: Path, name: str, content: bytes) -> Path:
    """Copy an archive with the entry `name` replaced by compressed `content`; return the copy."""
    copy = path.with_name(f"rewritten-{path.name}")
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(copy, "w") as target:
        for entry in source.infolist():
            if entry.filename == name:
                target.writestr(name, content, zipfile.ZIP_DEFLATED)
            else:
                target.writestr(entry, source.read(entry))
    return copy
