"""DINOv2 ViTs (Oquab et al., 2023), with and without registers (Darcet et al., 2024).

A vision tower without a text tower. It reads the tensors of the published `.pth` files and of
timm's conversions of them, which differ in the name of the registers and in whether the class token
has its position added already.

Shapes: B images, L patches, P prefix tokens (class token and registers), D width.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from moeclip_cli.errors import ModelError
from moeclip_cli.model.backbones.attention import attend
from moeclip_cli.model.backbones.family import Activation, Architecture, Backbone, Family, State
from moeclip_cli.model.backbones.positions import PositionResampling, resize_positions
from moeclip_cli.model.backbones.towers import VisionTower
from moeclip_cli.model.preprocessing import Preprocessing

_HEAD_WIDTH = 64
_MLP_RATIO = 4
_NORM_EPS = 1e-6
_REGISTERS = ("register_tokens", "reg_token")
# Stands for masked patches in DINOv2's own training only.
_UNUSED = ("mask_token",)
# Published models by width and number of blocks; the giant has another kind of MLP.
_MODELS = {(384, 12): "vits14", (768, 12): "vitb14", (1024, 24): "vitl14"}


class Dinov2Vision(VisionTower):
    """DINOv2's vision tower; its prefix is the class token and any registers."""

    def __init__(self, width: int, blocks: int, patch_size: int, registers: int, grid: int) -> None:
        super().__init__()
        self.prefix_tokens = 1 + registers
        self.patch_embed = nn.Conv2d(3, width, patch_size, stride=patch_size)
        self.prefix = nn.Parameter(torch.zeros(1, self.prefix_tokens, width))
        self.positional_embedding = nn.Parameter(torch.zeros(grid * grid, width))
        self.blocks = nn.ModuleList(_Block(width) for _ in range(blocks))
        self.norm = nn.LayerNorm(width, _NORM_EPS)

    def embed(self, images: Tensor) -> Tensor:
        """Tokens (B, P + L, D) of normalised images (B, 3, H, W)."""
        patches = self.patch_embed(images)
        rows, columns = patches.shape[-2:]
        positions = self.positions(rows, columns).to(patches.dtype)
        tokens = patches.flatten(2).transpose(1, 2) + positions
        return torch.cat([self.prefix.expand(tokens.shape[0], -1, -1), tokens], dim=1)

    def resized_positions(self, rows: int, columns: int) -> Tensor:
        """Position embeddings (rows * columns, D)."""
        return resize_positions(self.positional_embedding, (rows, columns), 0, DINOV2.positions)


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, _NORM_EPS)
        self.attn = _Attention(width)
        self.ls1 = _LayerScale(width)
        self.norm2 = nn.LayerNorm(width, _NORM_EPS)
        self.mlp = nn.Sequential(
            OrderedDict(
                fc1=nn.Linear(width, width * _MLP_RATIO),
                act=nn.GELU(),
                fc2=nn.Linear(width * _MLP_RATIO, width),
            )
        )
        self.ls2 = _LayerScale(width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) to (B, T, D)."""
        x = x + self.ls1(self.attn(self.norm1(x)))
        out: Tensor = x + self.ls2(self.mlp(self.norm2(x)))
        return out


class _Attention(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = width // _HEAD_WIDTH
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) to (B, T, D)."""
        out: Tensor = self.proj(attend(self.qkv(x), self.heads))
        return out


class _LayerScale(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) to (..., D)."""
        return x * self.gamma


def describe(state: State, name: str | None) -> Architecture:
    """Read the architecture off a state dict.

    Raises:
        ModelError: if a tensor is missing or misshaped, or the weights should be those of another
            published model.
    """
    try:
        width, _, patch_size, _ = state["patch_embed.proj.weight"].shape
        prefix = 1 + _registers(state)
    except (KeyError, ValueError) as error:
        raise ModelError(f"The DINOv2 weights are incomplete or misshaped: {error}.") from error
    numbers = {key.split(".")[1] for key in state if key.startswith("blocks.")}
    model = _MODELS.get((width, len(numbers)))
    published = model and f"dinov2-{model}{'-reg' if prefix > 1 else ''}"
    if name is not None and name != published:
        raise ModelError(
            f"The backbone weights are not those of '{name}' but of "
            f"{published or f'a DINOv2 of width {width} with {len(numbers)} blocks'}."
        )
    return Architecture(
        family=DINOV2,
        name=published,
        vision_width=width,
        blocks=len(numbers),
        patch_size=patch_size,
        prefix_tokens=prefix,
        text_width=None,
        joint_dim=width,
    )


def build(architecture: Architecture, state: State, activation: Activation) -> Backbone:
    """Build the tower around a state dict, in float32 on the CPU.

    Raises:
        ModelError: if the weights do not fit the architecture.
    """
    tensors = _own_layout(architecture, state)
    grid = round(tensors["positional_embedding"].shape[0] ** 0.5)
    # Built without memory, since every tensor is about to be replaced.
    with torch.device("meta"):
        vision = Dinov2Vision(
            architecture.vision_width,
            architecture.blocks,
            architecture.patch_size,
            architecture.prefix_tokens - 1,
            grid,
        )
    try:
        vision.load_state_dict(tensors, assign=True)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise ModelError(f"The backbone weights do not fit the architecture: {reason}") from error
    return Backbone(vision, None, architecture)


def _own_layout(architecture: Architecture, state: State) -> dict[str, Tensor]:
    """The tensors by the tower's names, in float32, the class token with its position."""
    tensors = {key: value.float() for key, value in state.items() if key not in _UNUSED}
    cls = tensors.pop("cls_token")
    positions = tensors.pop("pos_embed").flatten(0, -2)
    side = int(len(positions) ** 0.5)
    if len(positions) == side * side + 1:
        cls, positions = cls + positions[0], positions[1:]
    registers = [tensors.pop(key) for key in _REGISTERS if key in tensors]
    return {
        "prefix": torch.cat([cls, *registers], dim=1),
        "positional_embedding": positions,
        "patch_embed.weight": tensors.pop("patch_embed.proj.weight"),
        "patch_embed.bias": tensors.pop("patch_embed.proj.bias"),
        **tensors,
    }


def _registers(state: State) -> int:
    return sum(state[key].shape[1] for key in _REGISTERS if key in state)


DINOV2 = Family(
    name="DINOv2 ViT",
    tensors=("patch_embed.proj.weight", "cls_token", "pos_embed", "blocks.0.ls1.gamma"),
    # Statistics of ImageNet.
    preprocessing=Preprocessing(
        mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), interpolation="bicubic"
    ),
    positions=PositionResampling("bicubic", antialias=True),
    activations=("gelu",),
    licence="Apache-2.0 (Meta)",
    origin="https://github.com/facebookresearch/dinov2",
    describe=describe,
    build=build,
)
