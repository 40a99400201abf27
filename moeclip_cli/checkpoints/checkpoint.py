"""Checkpoints: trained adapters and their configuration, in moeclip's or the authors' format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from moeclip_cli.bounded_text import shortened
from moeclip_cli.checkpoints.authors_file import AuthorsOptions, read_authors_file
from moeclip_cli.checkpoints.configuration import CheckpointConfig
from moeclip_cli.checkpoints.formats import METADATA_KEY, FileFormat, detect_format, file_digest
from moeclip_cli.checkpoints.safetensors_file import read_safetensors, write_safetensors
from moeclip_cli.checkpoints.tensors import check_tensors
from moeclip_cli.errors import ModelError
from moeclip_cli.model.adapters import Adapters
from moeclip_cli.model.backbones.clip import named_architecture
from moeclip_cli.model.config import NetworkConfig, quarter_depths
from moeclip_cli.model.detail import Detail

_TEXT_LAYER = "text_layer.weight"
_LEARNED_TEXT = "learned_text.features"


@dataclass(frozen=True)
class Checkpoint:
    """The content of a checkpoint file.

    Attributes:
        path: the file.
        format: "moeclip", or "authors" for a `.pth`, whose configuration is partly assumed.
        digest: SHA-256 of the file, in hexadecimal.
        size_bytes: size of the file.
        config: the configuration.
        tensors: the state dict of `Adapters`, float32.
        layers_assumed: neither the file nor the user named the levels, so they are the quarter
            depths of the tower that `config.backbone` names.
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
        """Width D of the vision tower that the adapters fit."""
        return _vision_width(self.config.network, self.tensors)

    @property
    def text_width(self) -> int | None:
        """Width W of the text tower that the adapters fit; None if their text is learned."""
        return _text_sizes(self.tensors)[1]

    @property
    def joint_dim(self) -> int:
        """Dimension C in which the adapters compare patches and text."""
        return _text_sizes(self.tensors)[0]

    @property
    def parameters(self) -> int:
        """Number of parameters."""
        return sum(tensor.numel() for tensor in self.tensors.values())

    def build_adapters(self, network: NetworkConfig) -> Adapters:
        """The adapters as a module, around the checkpoint's own tensors.

        Args:
            network: the configuration to build, as `resolve` returns it.
        """
        adapters = _empty_adapters(network, self.tensors)
        adapters.load_state_dict(self.tensors, assign=True)
        for name, parameter in adapters.named_parameters():
            if name.startswith("moe.") and name.endswith(".lora_a"):
                parameter.requires_grad_(not network.fofs)
        return adapters


def read_checkpoint(path: Path, options: AuthorsOptions | None = None) -> Checkpoint:
    """Read a checkpoint; the content of the file decides its format, not its name.

    Args:
        path: a safetensors file of moeclip or a `.pth` of the authors' code.
        options: settings that a `.pth` lacks; the paper's values if None.

    Raises:
        ModelError: if the file is neither, is corrupt or could run code, if tensors are missing,
            unknown, misshaped or not finite, or if `options` are given for a file that has a
            configuration of its own.
    """
    kind = detect_format(path)
    if kind is FileFormat.TORCHSCRIPT:
        raise ModelError(
            f"{path} is not a MoECLIP checkpoint but a TorchScript archive, the format of OpenAI's "
            "CLIP; give it as `backbone_weights`."
        )
    own = kind is FileFormat.SAFETENSORS
    if own and options is not None:
        raise ModelError(
            f"{path} is in moeclip's format and has a configuration of its own; omit the options."
        )
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
        path: where to write; an existing file is replaced.
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
            "; it looks like a CLIP backbone, so give it as `backbone_weights`"
            if any(name.startswith("visual.") for name in tensors)
            else ""
        )
        raise ModelError(f"{path} is not a MoECLIP checkpoint: it has no configuration{hint}.")
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
        layers = quarter_depths(named_architecture(options.backbone.name).blocks)
    blocks = layers if options.moe_layers is None else options.moe_layers
    if len(blocks) != file.adapters:
        raise ModelError(
            f"{path} has {file.adapters} MoE adapters, which do not fit the {len(blocks)} blocks "
            f"{', '.join(map(str, blocks))}; 'moeclip models convert' takes others: `moe_layers` "
            "for the adapters alone, `layers` for the levels, too."
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
        ModelError: if a tensor is missing, unknown or misshaped.
    """
    adapters = sum(name.startswith("moe.") and name.endswith(".router") for name in tensors)
    blocks = len(network.adapter_blocks)
    if adapters != blocks:  # checked first: a hostile list of layers may be very long
        raise ModelError(f"{path} names {blocks} layers but has the adapters of {adapters}.")
    text = _LEARNED_TEXT if _LEARNED_TEXT in tensors else _TEXT_LAYER
    for name, ndim in (("image_head.norm.weight", 1), (text, 2)):
        if name not in tensors or tensors[name].ndim != ndim:
            raise ModelError(f"{path} lacks the tensor '{name}', or its shape is wrong.")
    # Before anything is built, which would take long for the sizes of a hostile configuration.
    lora_a = torch.Size((network.experts, network.rank, tensors["image_head.norm.weight"].shape[0]))
    for number in range(adapters):
        _check_shape(f"moe.{number}.lora_a", lora_a, tensors, path)
    expected = _empty_adapters(network, tensors).state_dict()
    for name in sorted(expected.keys() | tensors.keys()):
        if name not in expected:
            raise ModelError(
                f"{path} has a tensor that its network does not have: '{shortened(name)}'."
            )
        _check_shape(name, expected[name].shape, tensors, path)


def _check_shape(
    name: str, expected: torch.Size, tensors: Mapping[str, Tensor], path: Path
) -> None:
    if name not in tensors:
        raise ModelError(f"{path} lacks the tensor '{name}'.")
    if tensors[name].shape != expected:
        raise ModelError(
            f"Tensor '{name}' in {path} has the shape {shortened(tuple(tensors[name].shape))}, but "
            f"its network needs {tuple(expected)}."
        )


def _empty_adapters(network: NetworkConfig, tensors: Mapping[str, Tensor]) -> Adapters:
    """Adapters without memory, with the widths of `tensors`."""
    joint_dim, text_width = _text_sizes(tensors)
    # Without FOFS, whose matrices would be computed here only to be replaced.
    with torch.device("meta"):
        return Adapters(
            replace(network, fofs=False),
            _vision_width(network, tensors),
            text_width,
            joint_dim,
        )


def _vision_width(network: NetworkConfig, tensors: Mapping[str, Tensor]) -> int:
    """Width D of the backbone's tower, without the second tower's features."""
    width = tensors["image_head.norm.weight"].shape[0]
    return width - (Detail.TOKEN_WIDTH if network.detail else 0)


def _text_sizes(tensors: Mapping[str, Tensor]) -> tuple[int, int | None]:
    """Joint dimension C, and width W of the text tower; None if the text features are learned."""
    if _LEARNED_TEXT in tensors:
        return tensors[_LEARNED_TEXT].shape[0], None
    joint_dim, width = tensors[_TEXT_LAYER].shape
    return joint_dim, width
