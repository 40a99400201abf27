"""A checkpoint: trained adapters and their configuration, in the own or the authors' format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from moeclip_cli.checkpoints.authors_file import AuthorsOptions, read_authors_file
from moeclip_cli.checkpoints.configuration import CheckpointConfig
from moeclip_cli.checkpoints.formats import METADATA_KEY, FileFormat, detect_format, file_digest
from moeclip_cli.checkpoints.safetensors_file import read_safetensors, write_safetensors
from moeclip_cli.checkpoints.tensors import check_tensors
from moeclip_cli.errors import ModelError
from moeclip_cli.model.adapters import Adapters
from moeclip_cli.model.architecture import named_architecture
from moeclip_cli.model.config import NetworkConfig, quarter_depths


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint file holds.

    Attributes:
        path: the file.
        format: "moeclip", or "authors" for a `.pth`, whose configuration is partly assumed.
        digest: SHA-256 of the file's bytes, in hexadecimal.
        size_bytes: its size.
        config: the configuration.
        tensors: the state dict of `Adapters`, float32.
        layers_assumed: whether the levels are the quarter depths of the tower that
            `config.backbone` names, because neither the file nor the user told them.
    """

    path: Path
    format: str
    digest: str
    size_bytes: int
    config: CheckpointConfig
    tensors: dict[str, Tensor] = field(repr=False)
    layers_assumed: bool = False

    @property
    def vision_width(self) -> int:
        """Width D of the vision tower that it fits."""
        return self.tensors["image_head.norm.weight"].shape[0]

    @property
    def text_width(self) -> int:
        """Width W of the text tower that it fits."""
        return self.tensors["text_layer.weight"].shape[1]

    @property
    def joint_dim(self) -> int:
        """Dimension C of the CLIP that it fits."""
        return self.tensors["text_layer.weight"].shape[0]

    @property
    def parameters(self) -> int:
        """How many numbers its tensors hold."""
        return sum(tensor.numel() for tensor in self.tensors.values())

    def with_network(self, **changes: Any) -> Checkpoint:
        """The same checkpoint with other values in its network's configuration."""
        network = replace(self.config.network, **changes)
        return replace(self, config=replace(self.config, network=network))

    def at_size(self, image_size: int) -> Checkpoint:
        """The same checkpoint for one size of images, in pixels."""
        changed = self.with_network(image_size=image_size)
        return replace(changed, config=replace(changed.config, scales=()))

    def build_adapters(self) -> Adapters:
        """The adapters as a module, around the checkpoint's own tensors."""
        adapters = _empty_adapters(self.config.network, self.tensors)
        adapters.load_state_dict(self.tensors, assign=True)
        for name, parameter in adapters.named_parameters():
            if name.endswith(".lora_a"):
                parameter.requires_grad_(not self.config.network.fofs)
        return adapters


def read_checkpoint(path: Path, options: AuthorsOptions | None = None) -> Checkpoint:
    """Read a checkpoint, whatever its file is called.

    Args:
        path: a safetensors file of moeclip or a `.pth` of the authors' code.
        options: what a `.pth` cannot tell; the paper's values if None.

    Raises:
        ModelError: if the file is neither, is damaged, could run code, holds tensors that are
            missing, unknown, misshaped or not finite, or if `options` are given for a file that
            has a configuration of its own.
    """
    kind = detect_format(path)
    if kind is FileFormat.TORCHSCRIPT:
        raise ModelError(
            f"{path} is not a MoECLIP checkpoint but a TorchScript archive, as OpenAI's CLIP "
            "comes; give it with --backbone-weights."
        )
    own = kind is FileFormat.SAFETENSORS
    if own and options is not None:
        raise ModelError(f"{path} is in moeclip's format and has a configuration of its own.")
    config, tensors = _read_own(path) if own else _read_authors(path, options or AuthorsOptions())
    _check_shapes(config.network, tensors, path)
    return Checkpoint(
        path=path,
        format="moeclip" if own else "authors",
        digest=file_digest(path),
        size_bytes=path.stat().st_size,
        config=config,
        tensors=tensors,
        layers_assumed=not own and (options is None or options.layers is None),
    )


def write_checkpoint(path: Path, config: CheckpointConfig, tensors: Mapping[str, Tensor]) -> None:
    """Write a checkpoint in moeclip's format, in one step.

    Args:
        path: where; a file there is replaced.
        config: the configuration.
        tensors: the state dict of `Adapters`.

    Raises:
        ModelError: if the tensors are not those of the configuration or the file cannot be written.
    """
    stored = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    _check_shapes(config.network, stored, path)
    write_safetensors(path, stored, {METADATA_KEY: config.to_json()})


def _read_own(path: Path) -> tuple[CheckpointConfig, dict[str, Tensor]]:
    tensors, metadata = read_safetensors(path)
    if METADATA_KEY not in metadata:
        hint = (
            "; it looks like a CLIP backbone, so give it with --backbone-weights"
            if any(name.startswith("visual.") for name in tensors)
            else ""
        )
        raise ModelError(f"{path} is not a MoECLIP checkpoint: it holds no configuration{hint}.")
    try:
        config = CheckpointConfig.from_json(metadata[METADATA_KEY])
    except ModelError as error:
        raise ModelError(f"{path} cannot be used. {error}") from error
    checked = check_tensors(tensors, path)
    return config, {name: tensor.float() for name, tensor in checked.items()}


def _read_authors(
    path: Path, options: AuthorsOptions
) -> tuple[CheckpointConfig, dict[str, Tensor]]:
    file = read_authors_file(path)
    layers = options.layers
    if layers is None:
        tower = named_architecture(options.backbone.name).config["vision_cfg"]
        layers = quarter_depths(tower["layers"])
    if len(layers) != file.levels:
        raise ModelError(
            f"{path} has {file.levels} MoE adapters, which cannot follow the {len(layers)} blocks "
            f"{', '.join(map(str, layers))}; convert it with --levels."
        )
    config = CheckpointConfig(
        network=file.network(layers, options),
        backbone=options.backbone,
        domain=options.domain,
        training={} if file.epoch is None else {"epoch": file.epoch},
    )
    return config, file.tensors


def _check_shapes(network: NetworkConfig, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Refuse tensors that are not exactly those of the network.

    Raises:
        ModelError: naming the first tensor that is missing, unknown or misshaped.
    """
    levels = sum(name.endswith(".router") for name in tensors)
    if levels != len(network.layers):  # checked first: a hostile list of layers may be endless
        raise ModelError(
            f"{path} names {len(network.layers)} layers but holds the adapters of {levels}."
        )
    for name, ndim in (("image_head.norm.weight", 1), ("text_layer.weight", 2)):
        if name not in tensors or tensors[name].ndim != ndim:
            raise ModelError(f"{path} lacks the tensor '{name}', or it is misshaped.")
    expected = _empty_adapters(network, tensors).state_dict()
    for name in sorted(expected.keys() | tensors.keys()):
        if name not in tensors:
            raise ModelError(f"{path} lacks the tensor '{name}'.")
        if name not in expected:
            raise ModelError(f"{path} has a tensor that its network does not: '{name}'.")
        if tensors[name].shape != expected[name].shape:
            raise ModelError(
                f"Tensor '{name}' in {path} has the shape {tuple(tensors[name].shape)}, but its "
                f"network needs {tuple(expected[name].shape)}."
            )


def _empty_adapters(network: NetworkConfig, tensors: Mapping[str, Tensor]) -> Adapters:
    """Adapters without memory, as wide as `tensors` say."""
    joint_dim, text_width = tensors["text_layer.weight"].shape
    # Without FOFS, whose matrices would be computed here only to be replaced.
    with torch.device("meta"):
        return Adapters(
            replace(network, fofs=False),
            tensors["image_head.norm.weight"].shape[0],
            text_width,
            joint_dim,
        )
