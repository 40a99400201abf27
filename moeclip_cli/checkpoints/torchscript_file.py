"""Reading the weights out of a TorchScript archive, such as OpenAI's CLIP files.

`torch.jit.load` can be made to execute code in the archive, and PyTorch is phasing it out. Reading
the weights does not need it: the archive is a zip of raw numbers and one pickle with the tree of
modules. Here all module classes in the pickle become an inert class, and anything except modules,
tensors and lists is refused.
"""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import torch

from moeclip_cli.checkpoints.torch_file import MALFORMED, misread, refused

_DTYPES = {
    "torch.DoubleStorage": torch.float64,
    "torch.FloatStorage": torch.float32,
    "torch.HalfStorage": torch.float16,
    "torch.BFloat16Storage": torch.bfloat16,
    "torch.LongStorage": torch.int64,
    "torch.IntStorage": torch.int32,
    "torch.ShortStorage": torch.int16,
    "torch.CharStorage": torch.int8,
    "torch.ByteStorage": torch.uint8,
    "torch.BoolStorage": torch.bool,
}


class _RefusedGlobalError(Exception):
    """The pickle refers to something other than a module, tensor or list."""


def read_torchscript_file(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a TorchScript archive, by the names in its state dict.

    Raises:
        ModelError: if the archive is corrupt or refers to anything but modules, tensors and lists.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            root = _read_modules(archive)
    except _RefusedGlobalError as error:
        raise refused(path, str(error)) from error
    except (*MALFORMED, OSError, zipfile.BadZipFile) as error:
        raise misread(path, error) from error
    return dict(_named_tensors(root))


def _read_modules(archive: zipfile.ZipFile) -> object:
    top = archive.namelist()[0].partition("/")[0]
    with archive.open(f"{top}/data.pkl") as stream:
        return _ModuleUnpickler(stream, archive, f"{top}/data").load()


class _ModuleUnpickler(pickle.Unpickler):
    """Unpickles a tree of modules with inert classes."""

    def __init__(self, stream: IO[bytes], archive: zipfile.ZipFile, folder: str) -> None:
        super().__init__(stream)
        self._archive = archive
        self._folder = folder
        self._storages: dict[str, torch.Tensor] = {}
        # A new class for each file, because a pickle can set attributes of the class.
        self._module = type("Module", (), {})
        self._known: dict[str, Any] = {
            **_DTYPES,
            "collections.OrderedDict": OrderedDict,
            "torch._utils._rebuild_tensor_v2": lambda storage, offset, size, stride, *_: (
                storage.as_strided(size, stride, offset)
            ),
            "torch.jit._pickle.restore_type_tag": lambda value, _: value,
            "torch.jit._pickle.build_intlist": lambda values: list(values),
            "torch.jit._pickle.build_doublelist": lambda values: list(values),
            "torch.jit._pickle.build_boollist": lambda values: list(values),
            "torch.jit._pickle.build_tensorlist": lambda values: list(values),
        }

    def find_class(self, module: str, name: str) -> Any:
        if module.split(".")[0] == "__torch__":
            return self._module
        full_name = f"{module}.{name}"
        if full_name not in self._known:
            raise _RefusedGlobalError(full_name)
        return self._known[full_name]

    def persistent_load(self, pid: Any) -> torch.Tensor:
        """The storage that one or more tensors share, as a flat tensor."""
        _, dtype, key, _, _ = pid
        if key not in self._storages:
            content = bytearray(self._archive.read(f"{self._folder}/{key}"))
            self._storages[key] = (
                torch.frombuffer(content, dtype=dtype) if content else torch.empty(0, dtype=dtype)
            )
        return self._storages[key]


def _named_tensors(root: object) -> Iterator[tuple[str, torch.Tensor]]:
    """Tensors of a module tree, by dotted path."""
    waiting, seen = [("", root)], set()
    while waiting:
        prefix, module = waiting.pop()
        seen.add(id(module))
        for name, value in getattr(module, "__dict__", {}).items():
            if isinstance(value, torch.Tensor):
                yield prefix + name, value
            elif type(value) is type(root) and id(value) not in seen:
                waiting.append((f"{prefix}{name}.", value))
