"""Conversion of the authors' `.pth` files to checkpoints with a configuration of their own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from moeclip_cli.checkpoints.authors_file import AuthorsOptions
from moeclip_cli.checkpoints.backbones import PARAMETER, check_tag, default_tag, read_backbone
from moeclip_cli.checkpoints.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from moeclip_cli.checkpoints.configuration import BackboneRef
from moeclip_cli.checkpoints.formats import file_digest
from moeclip_cli.checkpoints.resolution import resolve
from moeclip_cli.errors import UsageError
from moeclip_cli.model.backbones.clip import named_architecture
from moeclip_cli.model.backbones.family import Architecture
from moeclip_cli.model.backbones.table import infer_architecture
from moeclip_cli.model.config import PAPER_BACKBONE, quarter_depths


@dataclass(frozen=True)
class BackboneChoice:
    """The user's choice of the backbone that a `.pth` belongs to.

    Attributes:
        name: an open_clip model, or a name for `weights`; None for the paper's.
        pretrained: open_clip's tag; None for OpenAI's weights.
        weights: a local file, which the checkpoint is then bound to by its digest.
    """

    name: str | None = None
    pretrained: str | None = None
    weights: Path | None = None

    def find(self) -> tuple[BackboneRef, Architecture]:
        """The reference for the configuration, and the shapes that the adapters must fit.

        Raises:
            UsageError: if both a tag and a file are given.
            ModelError: if open_clip does not know the name or tag, or the file is not a backbone.
        """
        if self.weights is None:
            name = self.name or PAPER_BACKBONE
            architecture = named_architecture(name)
            tag = self.pretrained or default_tag(name)
            check_tag(name, tag)
            return BackboneRef(name, tag), architecture
        if self.pretrained is not None:
            raise UsageError(f"Give either `pretrained` or `{PARAMETER}`, not both.")
        architecture = infer_architecture(read_backbone(self.weights))
        name = self.name or architecture.name or self.weights.stem
        return BackboneRef(name, digest=file_digest(self.weights)), architecture


def convert(
    source: Path, target: Path, options: AuthorsOptions, backbone: BackboneChoice
) -> Checkpoint:
    """Write a `.pth` of the authors' code in moeclip's format.

    Args:
        source: the `.pth`.
        target: where to write; an existing file is replaced.
        options: settings that a `.pth` lacks; `options.backbone` is replaced.
        backbone: the backbone that the adapters belong to.

    Returns:
        The checkpoint as it was written.

    Raises:
        ModelError: if `source` is another kind of file, does not fit the backbone or the options,
            or `target` cannot be written.
    """
    ref, architecture = backbone.find()
    layers = options.layers or quarter_depths(architecture.blocks)
    checkpoint = read_checkpoint(source, replace(options, layers=layers, backbone=ref))
    config = resolve(checkpoint, architecture, name=source.name, backbone=str(ref))
    training = {
        **config.training,
        "converted_from": source.name,
        "converted_sha256": checkpoint.digest,
    }
    write_checkpoint(target, replace(config, training=training), checkpoint.tensors)
    return read_checkpoint(target)
