"""Recorded outputs of the authors' code: their files and the tolerance of comparisons."""

from __future__ import annotations

import lzma
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from support.standins import authors_checkpoint, backbone_state

DATA = Path(__file__).parents[1] / "data"
# The recordings of the full-size model are too large for the repository.
LARGE = Path(os.environ.get("MOECLIP_GOLDEN", Path(__file__).parents[3] / "shared" / "golden"))

# The names of the categories in the paper's prompts.
PROMPTS = {
    "candle": "candle",
    "metal_nut": "metal nut which has four notched edges",
    "Brain": "scan",
    "object": "object",
}


@dataclass(frozen=True)
class Recording:
    """A golden file and the weights that it was recorded with."""

    tensors: dict[str, Tensor]
    metadata: dict[str, str]
    model: Path
    backbone: Path

    @property
    def image_size(self) -> int:
        """Side of the network input in pixels."""
        return int(self.metadata["px"])

    @property
    def prompt(self) -> str:
        """The object name for which similarities and maps were recorded."""
        return PROMPTS[self.metadata["first_class"]]


def open_recording(name: str, folder: Path) -> Recording:
    """Open the golden file `name`; write the checkpoint and the backbone to `folder`."""
    path = LARGE / f"{name}.safetensors"
    if name.startswith("small"):
        path = folder / f"{name}.safetensors"
        path.write_bytes(unpacked(name))
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    recording = Recording(load_file(path), metadata, folder / "model.pth", folder / "backbone.pt")
    size = metadata["size"]
    checkpoint = authors_checkpoint(
        size,
        relu=metadata["relu"] == "True",
        separate=metadata["seg_proj_sharing_strategy"] == "separate",
    )
    torch.save(checkpoint, recording.model)
    torch.save(backbone_state(size), recording.backbone)
    return recording


def unpacked(name: str) -> bytes:
    """The content of a safetensors file in tests/data/, which is compressed there."""
    return lzma.decompress((DATA / f"{name}.safetensors.xz").read_bytes())


def assert_close(actual: Tensor, expected: Tensor, relative: float = 1e-4) -> None:
    """Check that the largest error is below `relative` times the largest recorded value."""
    assert actual.shape == expected.shape
    error = (actual - expected).abs().max() / expected.abs().max()
    assert error < relative, f"relative error {error:.2e}"
