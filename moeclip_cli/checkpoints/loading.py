"""From what `--model` names to a network that is ready to run."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from moeclip_cli.checkpoints import hub
from moeclip_cli.checkpoints.authors_file import AuthorsOptions
from moeclip_cli.checkpoints.backbones import OPTION, find_backbone, read_backbone
from moeclip_cli.checkpoints.builtin import BUILTIN, DEFAULT_MODEL, builtin_file
from moeclip_cli.checkpoints.checkpoint import Checkpoint, read_checkpoint
from moeclip_cli.checkpoints.configuration import BackboneRef, CheckpointConfig
from moeclip_cli.checkpoints.formats import file_digest
from moeclip_cli.errors import ModelError
from moeclip_cli.model.architecture import Architecture, infer_architecture, named_architecture
from moeclip_cli.model.backbone import build_backbone
from moeclip_cli.model.config import quarter_depths
from moeclip_cli.model.moeclip import MoECLIP, check_image_size

_SUFFIXES = (".safetensors", ".pth", ".pt")


@dataclass(frozen=True)
class LoadedModel:
    """A network and where it came from.

    Attributes:
        network: on the CPU, float32, in evaluation mode.
        config: the checkpoint's configuration, as it was applied.
        name: what to call the model in tables: the built-in name, the reference or the file name.
        digest: SHA-256 of the checkpoint file, in hexadecimal.
        backbone: the file of the backbone.
    """

    network: MoECLIP
    config: CheckpointConfig
    name: str
    digest: str
    backbone: Path

    @cached_property
    def backbone_digest(self) -> str:
        """SHA-256 of the backbone file, in hexadecimal; read once, for it can be a gigabyte.

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
) -> LoadedModel:
    """Load a model by name, file or reference, with its backbone.

    Args:
        model: a built-in name, a checkpoint file, or `hf://owner/repo[/file][@revision]`.
        backbone_weights: a CLIP file to use instead of the one that the checkpoint names.
        image_size: the one side of the network input in pixels, if not the checkpoint's.
        options: what a `.pth` of the authors cannot tell; the paper's values if None.

    Raises:
        ModelError: if either file cannot be found, fetched, read or trusted, or the two do not fit.
    """
    path, name = find_model(model)
    checkpoint = read_checkpoint(path, options)
    if image_size is not None:
        checkpoint = checkpoint.at_size(image_size)
    ref = checkpoint.config.backbone
    fetched = backbone_weights is None and ref.pretrained is not None
    if fetched:  # before a gigabyte is downloaded in vain
        check_fit(checkpoint, named_architecture(ref.name), name, str(ref))
    backbone_file = find_backbone(ref, backbone_weights, name)
    state = read_backbone(backbone_file)
    architecture = infer_architecture(state, ref.name if fetched else None)
    if backbone_weights is not None and checkpoint.format == "authors":
        checkpoint = adopt_backbone(checkpoint, architecture, backbone_weights)
    check_fit(checkpoint, architecture, name, str(backbone_file))
    network = checkpoint.config.network
    backbone = build_backbone(architecture, state, quick_gelu=network.quick_gelu)
    assembled = MoECLIP(network, backbone, checkpoint.build_adapters()).eval()
    return LoadedModel(assembled, checkpoint.config, name, checkpoint.digest, backbone_file)


def find_model(model: str) -> tuple[Path, str]:
    """The checkpoint file that `--model` means, fetched if need be, and what to call it.

    Raises:
        ModelError: if there is none; the sentence lists names that were perhaps meant.
    """
    if model in BUILTIN:
        return builtin_file(BUILTIN[model].checkpoint), model
    if model.startswith(hub.PREFIX):
        return hub.fetch(hub.parse_reference(model)), model
    path = Path(model).expanduser()
    if path.exists():
        return path, path.name
    near = _similar_files(path)
    meant = f" Did you mean {', '.join(near)}?" if near else ""
    raise ModelError(
        f"There is no model '{model}': it is neither a file nor built in "
        f"({', '.join(BUILTIN)}) nor a reference hf://owner/repo.{meant}"
    )


def adopt_backbone(checkpoint: Checkpoint, architecture: Architecture, file: Path) -> Checkpoint:
    """A `.pth` checkpoint with what can be concluded from the backbone that the user gave for it.

    The file names no backbone, so the configuration assumed the paper's and its depth.

    Raises:
        ModelError: if the tower has no quarter depths.
    """
    if architecture.name != checkpoint.config.backbone.name:
        ref = BackboneRef(architecture.name or file.stem)
        checkpoint = replace(checkpoint, config=replace(checkpoint.config, backbone=ref))
    if checkpoint.layers_assumed:
        blocks = architecture.config["vision_cfg"]["layers"]
        checkpoint = checkpoint.with_network(layers=quarter_depths(blocks))
    return checkpoint


def check_fit(checkpoint: Checkpoint, architecture: Architecture, name: str, backbone: str) -> None:
    """Refuse adapters that were made for another CLIP, or an image size that is not for this one.

    Args:
        checkpoint: the adapters.
        architecture: the CLIP's.
        name: what to call the checkpoint.
        backbone: what to call the CLIP.

    Raises:
        ModelError: saying what the checkpoint needs and what the backbone has, or which image
            sizes would do.
    """
    clip = architecture.config
    has = (clip["vision_cfg"]["width"], clip["text_cfg"]["width"], clip["embed_dim"])
    needs = (checkpoint.vision_width, checkpoint.text_width, checkpoint.joint_dim)
    blocks, last = clip["vision_cfg"]["layers"], checkpoint.config.network.layers[-1]
    if has != needs:
        reason = (
            f"it needs a CLIP with vision width {needs[0]}, text width {needs[1]} and joint "
            f"dimension {needs[2]}, not {has[0]}, {has[1]} and {has[2]}"
        )
    elif last > blocks:
        reason = f"it has an adapter after block {last} of a tower with {blocks} blocks"
    else:
        for side in checkpoint.config.sizes:
            check_image_size(side, clip["vision_cfg"]["patch_size"])
        return
    remedy = (
        f"give the one it was made on, {checkpoint.config.backbone}, with {OPTION}"
        if checkpoint.format == "moeclip"
        else f"give the one it was made on, which a .pth file does not name, with {OPTION}"
    )
    raise ModelError(f"{name} does not fit the backbone {backbone}: {reason}; {remedy}.")


def _similar_files(path: Path) -> list[str]:
    """Weights files in the same folder with a name like that of `path`."""
    if not path.parent.is_dir():
        return []
    names = [entry.name for entry in path.parent.iterdir() if entry.suffix in _SUFFIXES]
    near = difflib.get_close_matches(path.name, [*names, *BUILTIN], n=3)
    return [name if name in BUILTIN else str(path.with_name(name)) for name in near]
