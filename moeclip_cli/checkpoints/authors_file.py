"""Reading the `.pth` files that the authors' training script saves.

Such a file holds tensors and no configuration. The tensors show the numbers of experts and
projections, the rank and the LeakyReLU; the rest is in `AuthorsOptions`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from moeclip_cli.bounded_text import shortened
from moeclip_cli.checkpoints.configuration import BackboneRef
from moeclip_cli.checkpoints.tensors import check_tensors
from moeclip_cli.checkpoints.torch_file import read_torch_file
from moeclip_cli.errors import ModelError, UsageError
from moeclip_cli.model.config import PAPER_BACKBONE, Domain, NetworkConfig
from moeclip_cli.model.experts import feature_slices

_PAPER = BackboneRef(PAPER_BACKBONE, "openai")
_PARTS = ("image_adapter", "text_adapter")
_IGNORED = ("epoch", "optimizer_state_dict")
_PLAIN_NAMES = {
    "det_proj.ln.weight": "image_head.norm.weight",
    "det_proj.ln.bias": "image_head.norm.bias",
    "det_proj.adapter.0.weight": "image_head.depthwise.weight",
    "det_proj.adapter.2.weight": "image_head.pointwise.weight",
}


@dataclass(frozen=True)
class AuthorsOptions:
    """Settings that a `.pth` file of the authors lacks; the defaults are the paper's.

    Attributes:
        layers: blocks whose outputs are the levels; None for the quarter depths of the tower.
        moe_layers: blocks that an adapter follows, numbered from 1; None if they are the levels.
        top_k: number of experts that the router picks for a token.
        alpha: LoRA scale; None for twice the rank.
        mix: weight of the adapted token.
        aggregation: each level yields three maps.
        quick_gelu: the towers run with QuickGELU.
        image_size: side in pixels of the network input.
        domain: kind of images.
        backbone: the backbone that the adapters belong to.
    """

    layers: tuple[int, ...] | None = None
    moe_layers: tuple[int, ...] | None = None
    top_k: int = NetworkConfig.top_k
    alpha: float | None = None
    mix: float = NetworkConfig.mix
    aggregation: bool = NetworkConfig.aggregation
    quick_gelu: bool = NetworkConfig.quick_gelu
    image_size: int = NetworkConfig.image_size
    domain: Domain = "industrial"
    backbone: BackboneRef = _PAPER

    def __post_init__(self) -> None:
        if not 0 <= self.mix <= 1:
            raise UsageError(f"`mix` must be between 0 and 1, not {self.mix}.")
        if self.alpha is not None and not 0 < self.alpha < math.inf:
            raise UsageError(f"`alpha` must be a number above 0, not {self.alpha}.")


@dataclass(frozen=True)
class AuthorsFile:
    """The content of a `.pth` file.

    Attributes:
        tensors: by the names of `Adapters`, in float32.
        relu: the projections have the names of ones that a LeakyReLU follows.
        epoch: the last finished epoch, if the file has it.
    """

    tensors: dict[str, Tensor]
    relu: bool
    epoch: int | None

    @property
    def adapters(self) -> int:
        """Number of MoE adapters."""
        return sum(name.endswith(".router") for name in self.tensors)

    def network(self, layers: tuple[int, ...], options: AuthorsOptions) -> NetworkConfig:
        """The configuration from the tensors and, for the rest, from `options`.

        Raises:
            ModelError: if tensors and options contradict each other.
        """
        projections = sum(name.startswith("projections.") for name in self.tensors)
        if projections not in (len(layers), 3 * len(layers)):
            raise ModelError(
                f"{projections} projections do not fit {len(layers)} levels: a level has one "
                "projection, or three if they are separate. Set `layers` to the levels, and "
                "`moe_layers` if the adapters follow other blocks."
            )
        separate = projections != len(layers)
        if separate and not options.aggregation:
            raise ModelError(
                f"The {projections} separate projections belong to a network with aggregation; "
                "turn `aggregation` on."
            )
        lora_a = self.tensors["moe.0.lora_a"]
        experts, rank, _ = lora_a.shape
        return NetworkConfig(
            layers=layers,
            moe_layers=None if options.moe_layers == layers else options.moe_layers,
            rank=rank,
            experts=experts,
            top_k=options.top_k,
            alpha=2.0 * rank if options.alpha is None else options.alpha,
            mix=options.mix,
            fofs=_is_sliced(lora_a),
            aggregation=options.aggregation,
            shared_projections=not separate,
            relu=self.relu,
            quick_gelu=options.quick_gelu,
            image_size=options.image_size,
        )


def read_authors_file(path: Path) -> AuthorsFile:
    """Read a `.pth` file of the authors' code, its tensors renamed to ours.

    Raises:
        ModelError: if it is another kind of file, or a tensor is missing, unknown or misshaped.
    """
    content = read_torch_file(path)
    parts = {part: content[part] for part in _PARTS if isinstance(content.get(part), Mapping)}
    unknown = [key for key in content if key not in (*_PARTS, *_IGNORED)]
    if unknown or len(parts) < len(_PARTS):
        raise _no_checkpoint(path, content, unknown)
    source = _Source(path, parts)
    tensors = {ours: source.take(f"image_adapter.{name}") for name, ours in _PLAIN_NAMES.items()}
    tensors["text_layer.weight"] = source.take("text_adapter.0.fc.0.weight")
    relu = "image_adapter.seg_proj.0.fc.0.weight" in source
    leaf = "fc.0.weight" if relu else "fc.weight"
    for number in source.count("image_adapter.seg_proj.{}." + leaf):
        name = f"image_adapter.seg_proj.{number}.{leaf}"
        tensors[f"projections.{number}.weight"] = source.take(name)
    for number in source.count("image_adapter.moe_adapters.{}.gate.weight"):
        adapter = f"image_adapter.moe_adapters.{number}"
        tensors[f"moe.{number}.router"] = source.take(f"{adapter}.gate.weight")
        tensors[f"moe.{number}.lora_a"] = source.stack(adapter + ".experts.{}.lora_A.weight")
        tensors[f"moe.{number}.lora_b"] = source.stack(adapter + ".experts.{}.lora_B.weight")
    source.refuse_rest()
    epoch = content.get("epoch")
    return AuthorsFile(tensors, relu, epoch if isinstance(epoch, int) else None)


class _Source:
    """The tensors of a file, taken one by one so that the remaining ones are known."""

    def __init__(self, path: Path, parts: Mapping[str, Mapping[Any, object]]) -> None:
        self._path = path
        named = {f"{part}.{name}": value for part in parts for name, value in parts[part].items()}
        self._rest = check_tensors(named, path)

    def __contains__(self, name: str) -> bool:
        return name in self._rest

    def take(self, name: str) -> Tensor:
        if name not in self._rest:
            raise ModelError(f"{self._path} lacks the tensor '{name}'.")
        return self._rest.pop(name).float()

    def count(self, pattern: str) -> range:
        """Numbers 0, 1, ... for which the pattern names a tensor; 0 is always among them."""
        number = 1
        while pattern.format(number) in self._rest:
            number += 1
        return range(number)

    def stack(self, pattern: str) -> Tensor:
        """The matrices of all experts in one tensor, experts first."""
        matrices = [self.take(pattern.format(expert)) for expert in self.count(pattern)]
        for expert, matrix in enumerate(matrices):
            if matrix.ndim != 2 or matrix.shape != matrices[0].shape:
                raise ModelError(
                    f"Tensor '{pattern.format(expert)}' in {self._path} has the shape "
                    f"{tuple(matrix.shape)}, unlike the other experts' matrices."
                )
        return torch.stack(matrices)

    def refuse_rest(self) -> None:
        for name in sorted(self._rest):
            raise ModelError(f"{self._path} has an unknown tensor '{shortened(name)}'.")


def _no_checkpoint(path: Path, content: Mapping[Any, object], odd: list[Any]) -> ModelError:
    if any(part in content for part in _PARTS):
        reason = (
            f"it has an unknown entry '{shortened(odd[0])}'"
            if odd
            else "one of the two is missing or empty"
        )
        return ModelError(
            f"{path} must contain 'image_adapter' and 'text_adapter', as the authors' code saves "
            f"them, and nothing else; {reason}."
        )
    if "visual.positional_embedding" in content or "state_dict" in content:
        return ModelError(
            f"{path} is not a MoECLIP checkpoint but looks like a CLIP backbone; "
            "give it as `backbone_weights`."
        )
    return ModelError(
        f"{path} is not a MoECLIP checkpoint: it has neither 'image_adapter' nor 'text_adapter'."
    )


def _is_sliced(lora_a: Tensor) -> bool:
    """True if each expert's matrix, of (K, r, D), is zero outside its own slice of features."""
    outside = lora_a.clone()
    for expert, part in enumerate(feature_slices(lora_a.shape[2], lora_a.shape[0])):
        outside[expert, :, part] = 0
    return not outside.any()
