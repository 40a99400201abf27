"""From the name of a model to a network that is ready to run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from moeclip_cli.bounded_text import shortened
from moeclip_cli.checkpoints.authors_file import AuthorsOptions
from moeclip_cli.checkpoints.backbones import find_backbone, read_backbone
from moeclip_cli.checkpoints.builtin import (
    BUILTIN,
    BUILTIN_BACKBONES,
    BUILTIN_TOWERS,
    DEFAULT_MODEL,
    DEFAULT_TOWER,
    builtin_file,
)
from moeclip_cli.checkpoints.checkpoint import read_checkpoint
from moeclip_cli.checkpoints.configuration import BackboneRef, CheckpointConfig
from moeclip_cli.checkpoints.formats import file_digest
from moeclip_cli.checkpoints.hub_reference import HUB_PREFIX, parse_reference
from moeclip_cli.checkpoints.names import is_graph, local_file
from moeclip_cli.checkpoints.resolution import resolve
from moeclip_cli.errors import ModelError
from moeclip_cli.model.backbones.clip import named_architecture
from moeclip_cli.model.backbones.family import Backbone
from moeclip_cli.model.backbones.table import build_backbone, infer_architecture
from moeclip_cli.model.config import NetworkConfig, check_image_side
from moeclip_cli.model.frozen_tower import FrozenTower
from moeclip_cli.model.moeclip import MoECLIP
from moeclip_cli.parallel.memory import memory_errors

TOWER_LAYERS = (6, 9)
"""Blocks of a tower without adapters whose tokens are compared with references."""
TOWER_IMAGE_SIZE = 448
"""Side of its network input in pixels."""


@dataclass(frozen=True)
class LoadedModel:
    """A network and its origin.

    Attributes:
        network: on the CPU, float32, in evaluation mode.
        config: the checkpoint's configuration, as it was applied.
        name: of the model in tables: the built-in name, the reference or the file name.
        digest: SHA-256 of the checkpoint file, in hexadecimal.
        backbone: the file of the backbone.
    """

    network: MoECLIP | FrozenTower
    config: CheckpointConfig
    name: str
    digest: str
    backbone: Path

    @cached_property
    def backbone_digest(self) -> str:
        """SHA-256 of the backbone file, in hexadecimal; computed once, as it can be over 1 GB.

        Raises:
            ModelError: if the file cannot be read.
        """
        return file_digest(self.backbone)


def load_model(
    model: str = DEFAULT_MODEL,
    *,
    backbone_weights: Path | None = None,
    image_size: int | None = None,
    options: AuthorsOptions | None = None,
    spare_builtin: bool = False,
) -> LoadedModel:
    """Load a model by name, file or reference, with its backbone.

    Args:
        model: a built-in name, also of a tower (see `load_tower`), a checkpoint file, or
            `hf://owner/repo[/file][@revision]`.
        backbone_weights: a backbone file to use instead of the one that the checkpoint names.
        image_size: the only side of the network input in pixels, if not the checkpoint's sizes.
        options: settings that a `.pth` of the authors lacks; the paper's values if None.
        spare_builtin: leave a model on a built-in backbone on it, whatever `backbone_weights` is.

    Raises:
        ModelError: if either file cannot be found, fetched, read or trusted, the two do not fit
            each other, or memory runs out.
    """
    if model in BUILTIN_TOWERS:
        return load_tower(model, image_size=image_size)
    if image_size is not None:  # before minutes of download
        check_image_side(image_size)
    with memory_errors(f"There is not enough memory to load {shortened(model)}."):
        return _load(model, backbone_weights, image_size, options, spare_builtin)


def _load(
    model: str,
    backbone_weights: Path | None,
    image_size: int | None,
    options: AuthorsOptions | None,
    spare_builtin: bool,
) -> LoadedModel:
    path, name = find_model(model)
    checkpoint = read_checkpoint(path, options)
    ref = checkpoint.config.backbone
    if spare_builtin and checkpoint.format == "moeclip" and ref.name in BUILTIN_BACKBONES:
        backbone_weights = None
    fetched = backbone_weights is None and ref.pretrained is not None
    if fetched:  # checked before the download, which can be over 1 GB
        known = named_architecture(ref.name)
        resolve(checkpoint, known, name=name, backbone=str(ref), image_size=image_size)
    backbone_file = find_backbone(ref, backbone_weights, name)
    state = read_backbone(backbone_file)
    architecture = infer_architecture(state, ref.name if fetched else None)
    config = resolve(
        checkpoint,
        architecture,
        name=name,
        backbone=str(backbone_file),
        image_size=image_size,
        backbone_weights=backbone_weights,
    )
    backbone = build_backbone(architecture, state, quick_gelu=config.network.quick_gelu)
    adapters = checkpoint.build_adapters(config.network)
    network = MoECLIP(config.network, backbone, adapters, _detail(config, name)).eval()
    return LoadedModel(network, config, name, checkpoint.digest, backbone_file)


def _detail(config: CheckpointConfig, name: str) -> Backbone | None:
    """The backbone of the second tower, if the checkpoint `name` has one."""
    if config.detail is None:
        return None
    state = read_backbone(find_backbone(config.detail, None, name))
    return build_backbone(infer_architecture(state), state, quick_gelu=False)


def load_tower(
    tower: str = DEFAULT_TOWER,
    *,
    layers: tuple[int, ...] | None = None,
    image_size: int | None = None,
) -> LoadedModel:
    """Load a vision tower without adapters, for scoring with references.

    Args:
        tower: a built-in tower or a local file.
        layers: blocks whose tokens are compared; `TOWER_LAYERS` by default.
        image_size: side of the network input in pixels; `TOWER_IMAGE_SIZE` by default.

    Raises:
        ModelError: if the file cannot be found, read or trusted, or the values do not fit it.
    """
    builtin = BUILTIN_TOWERS.get(tower)
    path = Path(tower).expanduser() if builtin is None else builtin_file(builtin)
    state = read_backbone(path)
    architecture = infer_architecture(state)
    config = CheckpointConfig(
        network=NetworkConfig(
            layers=layers or TOWER_LAYERS, image_size=image_size or TOWER_IMAGE_SIZE
        ),
        backbone=BackboneRef(architecture.name or path.stem),
    )
    backbone = build_backbone(architecture, state, quick_gelu=False)
    network = FrozenTower(config.network, backbone).eval()
    name = tower if builtin is not None else path.name
    return LoadedModel(network, config, name, file_digest(path), path)


def find_model(model: str) -> tuple[Path, str]:
    """The checkpoint file of a model, downloaded if necessary, and its name in tables.

    Args:
        model: a built-in name, a checkpoint file, or `hf://owner/repo[/file][@revision]`.

    Raises:
        ModelError: if there is none, with similar names, or its folder cannot be searched.
    """
    if model in BUILTIN:
        return builtin_file(BUILTIN[model].checkpoint), model
    if model.startswith(HUB_PREFIX):
        from moeclip_cli.checkpoints import hub  # its import takes half a second

        return hub.fetch(parse_reference(model)), model
    path = local_file(model)
    if is_graph(model):
        raise ModelError(
            f"{shortened(model)} is an exported graph, which only 'moeclip score', 'moeclip "
            "watch', 'moeclip heatmap' and `OnnxInspector` take; use the checkpoint that it was "
            "made of."
        )
    return path, path.name
