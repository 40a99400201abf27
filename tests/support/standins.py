"""Stand-in weights that need no download: every tensor is generated from its own name.

A tensor's generator is seeded with the first 4 bytes (little endian) of sha256("SEED:NAME"). With z
from a standard normal: biases are 0.02 z; matrices and kernels z / sqrt(numbers in their first
slice); vectors and scalars 0.02 z, or 1 + 0.05 z if a part of the name starts with "ln".
"""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Size:
    """Dimensions of a CLIP ViT and its adapters."""

    image: int
    patch: int
    vision_width: int
    vision_layers: int
    text_width: int
    text_layers: int
    joint_dim: int
    rank: int
    vocabulary: int = 49408
    context: int = 77
    experts: int = 4
    levels: int = 4


SIZES = {
    "small": Size(56, 14, 128, 8, 64, 3, 64, rank=4),
    # ViT-L-14-336, the paper's backbone.
    "large": Size(336, 14, 1024, 24, 768, 12, 768, rank=8),
}


def fill(name: str, shape: tuple[int, ...], seed: int = 0) -> Tensor:
    """The float32 tensor of a name."""
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:4], "little"))
    z = torch.randn(shape, generator=generator)
    if name.endswith("bias"):
        return z * 0.02
    if len(shape) > 1:
        return z * math.prod(shape[1:]) ** -0.5
    return 1 + z * 0.05 if _in_norm(name) else z * 0.02


def backbone_state(size: str = "small") -> dict[str, Tensor]:
    """A CLIP state dict in OpenAI's format: linear layers and projections in half precision."""
    return {name: _stored(name, fill(name, shape)) for name, shape in _backbone_shapes(SIZES[size])}


def authors_checkpoint(
    size: str = "small",
    *,
    relu: bool = False,
    separate: bool = False,
    adapters: int | None = None,
    seed: int = 0,
) -> dict[str, object]:
    """A checkpoint as the authors' code saves it: adapters, image head and text layer, no FOFS."""
    c = SIZES[size]
    image = {
        "det_proj.ln.weight": (c.vision_width,),
        "det_proj.ln.bias": (c.vision_width,),
        "det_proj.adapter.0.weight": (c.vision_width, 1, 3),
        "det_proj.adapter.2.weight": (c.joint_dim, c.vision_width, 1),
    }
    leaf = "fc.0.weight" if relu else "fc.weight"
    for number in range(c.levels * (3 if separate else 1)):
        image[f"seg_proj.{number}.{leaf}"] = (c.joint_dim, c.vision_width)
    for level in range(c.levels if adapters is None else adapters):
        adapter = f"moe_adapters.{level}"
        image[f"{adapter}.gate.weight"] = (c.experts, c.vision_width)
        for expert in range(c.experts):
            image[f"{adapter}.experts.{expert}.lora_A.weight"] = (c.rank, c.vision_width)
            image[f"{adapter}.experts.{expert}.lora_B.weight"] = (c.vision_width, c.rank)
    text = {"0.fc.0.weight": (c.joint_dim, c.text_width)}
    return {
        "epoch": 1,
        "image_adapter": {n: fill(f"image_adapter.{n}", s, seed) for n, s in image.items()},
        "text_adapter": {n: fill(f"text_adapter.{n}", s, seed) for n, s in text.items()},
    }


class ModuleTree(nn.Module):
    """Modules nested according to the dots in the names of a state dict."""

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        super().__init__()
        below: dict[str, dict[str, Tensor]] = {}
        for name, tensor in state.items():
            first, _, rest = name.partition(".")
            if rest:
                below.setdefault(first, {})[rest] = tensor
            elif tensor.is_floating_point():
                self.register_parameter(first, nn.Parameter(tensor))
            else:
                self.register_buffer(first, tensor)
        for first, content in below.items():
            self.add_module(first, ModuleTree(content))

    def forward(self, x: Tensor) -> Tensor:
        return x + 1


def save_torchscript(module: nn.Module, path: Path) -> None:
    """Write a TorchScript archive, the format of OpenAI's CLIP files."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated, but such files still exist
        torch.jit.save(torch.jit.trace(module, torch.ones(1)), str(path))


def _backbone_shapes(c: Size) -> list[tuple[str, tuple[int, ...]]]:
    positions = (c.image // c.patch) ** 2 + 1
    shapes = [
        ("positional_embedding", (c.context, c.text_width)),
        ("text_projection", (c.text_width, c.joint_dim)),
        ("logit_scale", ()),
        ("token_embedding.weight", (c.vocabulary, c.text_width)),
        ("visual.class_embedding", (c.vision_width,)),
        ("visual.positional_embedding", (positions, c.vision_width)),
        ("visual.proj", (c.vision_width, c.joint_dim)),
        ("visual.conv1.weight", (c.vision_width, 3, c.patch, c.patch)),
        *_norm("visual.ln_pre", c.vision_width),
        *_norm("visual.ln_post", c.vision_width),
        *_norm("ln_final", c.text_width),
    ]
    for block in range(c.vision_layers):
        shapes += _block(f"visual.transformer.resblocks.{block}", c.vision_width)
    for block in range(c.text_layers):
        shapes += _block(f"transformer.resblocks.{block}", c.text_width)
    return shapes


def _block(prefix: str, width: int) -> list[tuple[str, tuple[int, ...]]]:
    return [
        *_norm(f"{prefix}.ln_1", width),
        *_norm(f"{prefix}.ln_2", width),
        (f"{prefix}.attn.in_proj_weight", (3 * width, width)),
        (f"{prefix}.attn.in_proj_bias", (3 * width,)),
        (f"{prefix}.attn.out_proj.weight", (width, width)),
        (f"{prefix}.attn.out_proj.bias", (width,)),
        (f"{prefix}.mlp.c_fc.weight", (4 * width, width)),
        (f"{prefix}.mlp.c_fc.bias", (4 * width,)),
        (f"{prefix}.mlp.c_proj.weight", (width, 4 * width)),
        (f"{prefix}.mlp.c_proj.bias", (width,)),
    ]


def _norm(prefix: str, width: int) -> list[tuple[str, tuple[int, ...]]]:
    return [(f"{prefix}.weight", (width,)), (f"{prefix}.bias", (width,))]


def _stored(name: str, tensor: Tensor) -> Tensor:
    single = _in_norm(name) or "embedding" in name or name == "logit_scale"
    return tensor if single else tensor.half()


def _in_norm(name: str) -> bool:
    return any(part.startswith("ln") for part in name.split("."))
