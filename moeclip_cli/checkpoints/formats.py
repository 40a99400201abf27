"""The format of a weights file, detected from its content and never from its name."""

from __future__ import annotations

import hashlib
import zipfile
from enum import Enum
from pathlib import Path

from moeclip_cli.bounded_text import MEGABYTE, require_regular_file, shortened
from moeclip_cli.errors import ModelError

# The key of the configuration in the metadata of a checkpoint in moeclip's own format.
METADATA_KEY = "moeclip"

_CHUNK = 1 << 20
# Several times those of the largest published CLIP with the state of its optimiser.
_MOST_ENTRIES = 20_000
_LARGEST_PICKLE = 10 * MEGABYTE


class FileFormat(Enum):
    """Container formats of weights."""

    SAFETENSORS = "safetensors"
    TORCH = "PyTorch"
    TORCHSCRIPT = "TorchScript"


def detect_format(path: Path) -> FileFormat:
    """The format of a weights file.

    Raises:
        ModelError: if it cannot be read or has another format.
    """
    head = _read_head(path)
    if head.startswith(b"PK\x03\x04"):
        return _detect_zip(path)
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= path.stat().st_size:
        return FileFormat.SAFETENSORS
    if head.startswith(b"\x80"):  # a pickle, as torch wrote it before version 1.6
        return FileFormat.TORCH
    raise ModelError(f"{path} {_describe_other(head)}")


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal.

    Raises:
        ModelError: if the file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        require_regular_file(path)
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise unreadable(path, error) from error
    return digest.hexdigest()


def unreadable(path: Path, error: OSError) -> ModelError:
    """The error for a file that cannot be read."""
    if isinstance(error, FileNotFoundError):
        return ModelError(f"File not found: {path}.")
    if isinstance(error, IsADirectoryError):
        return ModelError(f"{path} is a folder; name the weights file in it.")
    return ModelError(f"{path} cannot be read: {error.strerror or error}.")


def damaged(path: Path) -> ModelError:
    """The error for a file that breaks its own format."""
    return ModelError(f"{path} is corrupt or truncated; download or copy it again.")


def refuse_packed(archive: zipfile.ZipFile, path: Path) -> None:
    """Refuse an archive whose entries could be far larger than the file, before any is read.

    Args:
        archive: the open archive. PyTorch compresses nothing but the source code of TorchScript,
            which is never read here.
        path: its file.

    Raises:
        ModelError: if another entry is compressed, all of them are larger than the file, or they
            describe more tensors than any network has.
    """
    entries = [entry for entry in archive.infolist() if "/code/" not in entry.filename]
    for entry in entries:
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
            raise ModelError(
                f"{path} was refused: its entry '{shortened(entry.filename)}' is compressed, "
                "unlike PyTorch's. Save the weights with PyTorch or as safetensors."
            )
    if sum(entry.file_size for entry in entries) > path.stat().st_size:
        raise damaged(path)
    pickles = (entry.file_size for entry in entries if entry.filename.endswith(".pkl"))
    if len(entries) > _MOST_ENTRIES or max(pickles, default=0) > _LARGEST_PICKLE:
        raise ModelError(f"{path} describes more tensors than any network has.")


def _read_head(path: Path) -> bytes:
    try:
        require_regular_file(path)
        with path.open("rb") as file:
            return file.read(64)
    except OSError as error:
        # Windows reports a folder as missing permission.
        raise unreadable(path, IsADirectoryError() if path.is_dir() else error) from error


def _detect_zip(path: Path) -> FileFormat:
    try:
        with zipfile.ZipFile(path) as archive:
            refuse_packed(archive, path)
            names = {name.partition("/")[2] for name in archive.namelist()}
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise damaged(path) from error
    if "constants.pkl" in names:
        return FileFormat.TORCHSCRIPT
    if "data.pkl" in names:
        return FileFormat.TORCH
    raise ModelError(f"{path} is a zip archive without PyTorch weights.")


def _describe_other(head: bytes) -> str:
    """The rest of the sentence about a file of an unknown format."""
    if not head:
        return "is empty; download or copy it again."
    if head.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer, not the weights; run 'git lfs pull' to download them."
    if head.lstrip().lower().startswith((b"<!doctype", b"<html")):
        return "is a web page, not a weights file; download the file itself."
    return "is not a weights file (expected safetensors or PyTorch)."
