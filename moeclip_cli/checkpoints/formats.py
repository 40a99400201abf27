"""Which format a weights file has, told by its content and never by its name."""

from __future__ import annotations

import hashlib
import zipfile
from enum import Enum
from pathlib import Path

from moeclip_cli.errors import ModelError

# The key of the configuration in the metadata of a checkpoint in moeclip's own format.
METADATA_KEY = "moeclip"

_CHUNK = 1 << 20


class FileFormat(Enum):
    """The containers that weights come in."""

    SAFETENSORS = "safetensors"
    TORCH = "PyTorch"
    TORCHSCRIPT = "TorchScript"


def detect_format(path: Path) -> FileFormat:
    """The format of a weights file.

    Raises:
        ModelError: if it cannot be read or is nothing that weights come in.
    """
    head = _read_head(path)
    if head.startswith(b"PK\x03\x04"):
        return _detect_zip(path)
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= path.stat().st_size:
        return FileFormat.SAFETENSORS
    if head.startswith(b"\x80"):  # a pickle: what torch wrote before version 1.6
        return FileFormat.TORCH
    raise ModelError(f"{path} {_what_else(head)}")


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal.

    Raises:
        ModelError: if the file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise unreadable(path, error) from error
    return digest.hexdigest()


def unreadable(path: Path, error: OSError) -> ModelError:
    """The error for a file that the system does not let us read."""
    if isinstance(error, FileNotFoundError):
        return ModelError(f"There is no file {path}.")
    if isinstance(error, IsADirectoryError):
        return ModelError(f"{path} is a folder; give the weights file in it.")
    return ModelError(f"{path} cannot be read: {error.strerror or error}.")


def damaged(path: Path) -> ModelError:
    """The error for a file that breaks its own format."""
    return ModelError(f"{path} is damaged or incomplete; fetch or copy it again.")


def _read_head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(64)
    except OSError as error:
        # Windows reports a folder as a lack of permission.
        raise unreadable(path, IsADirectoryError() if path.is_dir() else error) from error


def _detect_zip(path: Path) -> FileFormat:
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.partition("/")[2] for name in archive.namelist()}
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise damaged(path) from error
    if "constants.pkl" in names:
        return FileFormat.TORCHSCRIPT
    if "data.pkl" in names:
        return FileFormat.TORCH
    raise ModelError(f"{path} is a zip archive, but holds no PyTorch weights.")


def _what_else(head: bytes) -> str:
    """How the sentence about a file of no known format goes on."""
    if not head:
        return "is empty; fetch or copy it again."
    if head.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer, not the weights themselves; fetch them with `git lfs pull`."
    if head.lstrip().lower().startswith((b"<!doctype", b"<html")):
        return "is a web page, not a weights file; download the file itself."
    return "is no weights file: it is neither safetensors nor written by PyTorch."
