"""open_clip's tokenizer without the rest of open_clip.

`import open_clip` imports torchvision, timm and PyTorch's compiler, which takes longer than PyTorch
itself; the module with the tokenizer needs none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from torch import Tensor


def tokenize(sentences: Sequence[str], context_length: int) -> Tensor:
    """CLIP's token ids (n, context length) of sentences, by open_clip's default tokenizer.

    The first call reads the vocabulary, which takes half a second.
    """
    tokens: Tensor = _module().tokenize(list(sentences), context_length)
    return tokens


@cache
def _module() -> ModuleType:
    """The module `open_clip.tokenizer`, read from its file."""
    package = find_spec("open_clip")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("open_clip is not installed", name="open_clip")
    spec = spec_from_file_location(
        "moeclip_cli.open_clip_tokenizer", Path(package.origin).with_name("tokenizer.py")
    )
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError("open_clip has no tokenizer", name="open_clip.tokenizer")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
