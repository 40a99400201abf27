"""From a `.pth` of the authors' code to a checkpoint that knows its own configuration."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from moeclip_cli.checkpoints.authors_file import PAPER_BACKBONE, AuthorsOptions
from moeclip_cli.checkpoints.backbones import check_tag, default_tag, read_backbone
from moeclip_cli.checkpoints.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from moeclip_cli.checkpoints.configuration import BackboneRef
from moeclip_cli.checkpoints.formats import file_digest
from moeclip_cli.checkpoints.loading import check_fit
from moeclip_cli.errors import UsageError
from moeclip_cli.model.architecture import Architecture, infer_architecture, named_architecture
from moeclip_cli.model.config import quarter_depths


@dataclass(frozen=True)
class BackboneChoice:
    """The backbone that the user says a `.pth` belongs to.

    Attributes:
        name: an open_clip model, or a name for `weights`; None for the paper's.
        pretrained: open_clip's tag; None for OpenAI's weights.
        weights: a local file, which the checkpoint is then bound to by its digest.
    """

    name: str | None = None
    pretrained: str | None = None
    weights: Path | None = None

    def resolve(self) -> tuple[BackboneRef, Architecture]:
        """What to write into the configuration, and the shapes that the adapters must fit.

        Raises:
            UsageError: if both a tag and a file are given.
            ModelError: if open_clip does not know the name or tag, or the file is no CLIP.
        """
        if self.weights is None:
            name = self.name or PAPER_BACKBONE.name
            architecture = named_architecture(name)
            tag = self.pretrained or default_tag(name)
            check_tag(name, tag)
            return BackboneRef(name, tag), architecture
        if self.pretrained is not None:
            raise UsageError("Give either --pretrained or --backbone-weights, not both.")
        architecture = infer_architecture(read_backbone(self.weights))
        name = self.name or architecture.name or self.weights.stem
        return BackboneRef(name, digest=file_digest(self.weights)), architecture


def convert(
    source: Path, target: Path, options: AuthorsOptions, backbone: BackboneChoice
) -> Checkpoint:
    """Write a `.pth` of the authors' code in moeclip's format.

    Args:
        source: the `.pth`.
        target: where to write; a file there is replaced.
        options: what a `.pth` cannot tell; its `backbone` is replaced.
        backbone: what the checkpoint belongs to.

    Returns:
        The checkpoint as it was written.

    Raises:
        ModelError: if `source` is no such file, does not fit the backbone or the options, or
            `target` cannot be written.
    """
    ref, architecture = backbone.resolve()
    layers = options.layers or quarter_depths(architecture.config["vision_cfg"]["layers"])
    checkpoint = read_checkpoint(source, replace(options, layers=layers, backbone=ref))
    check_fit(checkpoint, architecture, source.name, str(ref))
    training = {
        **checkpoint.config.training,
        "converted_from": source.name,
        "converted_sha256": checkpoint.digest,
    }
    config = replace(checkpoint.config, training=training)
    write_checkpoint(target, config, checkpoint.tensors)
    return read_checkpoint(target)
