"""A convolutional stem in place of CLIP's patch embedding, for towers trained from scratch.

A patch embedding needs millions of images before it tells textures apart. Convolutions with
instance normalisation do so from the start, because they measure every location against the rest of
the same image: anything unlike its surroundings stands out before the first transformer block.

Layout of the state dict, below `visual.conv1.` in a backbone's (a plain patch embedding has
`visual.conv1.weight` instead):

    edges.weight                          (E, 3, 7, 7)
    edges_norm.{weight,bias}              (E,)
    stages.{i}.down.weight                (C_i, C_i-1, 3, 3)
    stages.{i}.down_norm.{weight,bias}    (C_i,)
    stages.{i}.inner.weight               (C_i, C_i, 3, 3)
    stages.{i}.inner_norm.{weight,bias}   (C_i,)
    stages.{i}.outer.weight               (C_i, C_i, 3, 3)
    stages.{i}.outer_norm.{weight,bias}   (C_i,)
    project.{weight,bias}                 (D, 2 * C_last, 2, 2), (D,)
    rarity.*                              see `rarity.py`
    exposure.hidden.{weight,bias}         (16, 3, 1, 1), (16,)
    exposure.out.{weight,bias}            (D, 16, 1, 1), (D,)

Shapes: B images, S side in pixels, g = S / 16, D width of the tokens.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moeclip_cli.errors import ModelError
from moeclip_cli.model.backbones.rarity import Rarity
from moeclip_cli.model.finite import infinite_as_nan

_PREFIX = "visual.conv1."
_EPS = 1e-5


class ConvStem(nn.Module):
    """From normalised images (B, 3, S, S) to a map of tokens (B, D, g, g).

    Args:
        width: D.
        edges: channels of the first, oriented-edge layer at stride 2.
        channels: channels of the stages at strides 4 and 8.
    """

    STRIDE = 16

    def __init__(self, width: int, edges: int = 24, channels: tuple[int, int] = (64, 128)) -> None:
        super().__init__()
        self.edges = nn.Conv2d(3, edges, 7, stride=2, padding=3, bias=False)
        self.edges_norm = InstanceNorm(edges)
        widths = (edges, *channels)
        self.stages = nn.ModuleList(
            Stage(before, after) for before, after in zip(widths, channels, strict=False)
        )
        self.project = nn.Conv2d(2 * channels[-1], width, 2, stride=2)
        self.rarity = Rarity(2 * channels[-1], 2 * sum(widths[:-1]), width)
        self.exposure = Exposure(width)
        with torch.no_grad():
            self.edges.weight.copy_(gabor_filters(edges, 7))

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> ConvStem:
        """A stem with the shapes, not the values, of the one in a backbone's state dict.

        Raises:
            ModelError: if the state dict has no such stem.
        """
        layers = ("edges", "stages.0.down", "stages.1.down", "project")
        try:
            shapes = [tuple(state[f"{_PREFIX}{layer}.weight"].shape) for layer in layers]
            edges, first, second, width = (shape[0] for shape in shapes)
        except (KeyError, IndexError) as error:
            raise ModelError(
                "The backbone weights do not have a complete convolutional stem "
                f"(missing: {error})."
            ) from error
        # Compared before the stem is built, whose size is the product of these numbers.
        if shapes != [
            (edges, 3, 7, 7),
            (first, edges, 3, 3),
            (second, first, 3, 3),
            (width, 2 * second, 2, 2),
        ]:
            raise ModelError(
                "The layers of the backbone's convolutional stem do not fit each other."
            )
        return cls(width, edges, (first, second))

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, S, S) to (B, D, g, g); images do not influence each other."""
        x = standardise(images).contiguous(memory_format=torch.channels_last)
        x = F.relu(self.edges_norm(self.edges(x)), inplace=True)
        magnitudes, pooled = x, list[Tensor]()
        for stage in self.stages:
            pooled += _pool(magnitudes, images.shape[-1] // self.STRIDE)
            x = stage(x)
            magnitudes = x.abs()
        features = torch.cat([x, magnitudes], dim=1)
        tokens: Tensor = self.project(features)
        tokens = tokens.contiguous() + self.rarity(features, torch.cat(pooled, dim=1))
        return tokens + self.exposure(images)


class Stage(nn.Module):
    """Halves the map, then adds two residual convolutions; the result is signed.

    The second one is initialised to zero and changes nothing at first.
    """

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.down = nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False)
        self.down_norm = InstanceNorm(after)
        self.inner = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.inner_norm = InstanceNorm(after)
        self.outer = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.outer_norm = InstanceNorm(after)
        nn.init.zeros_(self.outer_norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to (B, C', h / 2, w / 2)."""
        x = self.down_norm(self.down(x))
        x = x + self.inner_norm(self.inner(F.relu(x)))
        out: Tensor = x + self.outer_norm(self.outer(F.relu(x)))
        return out


class InstanceNorm(nn.Module):
    """Normalises each channel of each image to mean 0 and deviation 1, then scales and shifts it.

    It equals `nn.InstanceNorm2d`, which on a CPU moves the channels to the front, where the next
    convolution and pooling are slower; here they stay last (benchmarks/stem_speed.py).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w), statistics in float32; the result has the input's type."""
        rows = x.permute(0, 2, 3, 1).float()
        centred = rows - _mean_of_rows(rows)
        deviation = infinite_as_nan((_mean_of_rows(centred.square()) + _EPS).sqrt())
        scaled = torch.addcmul(self.bias.float(), centred, self.weight / deviation)
        return scaled.permute(0, 3, 1, 2).to(x.dtype)


def _mean_of_rows(rows: Tensor) -> Tensor:
    """Means (B, 1, 1, C) of (B, h, w, C): down the columns first, which is vectorised."""
    return rows.mean(1, keepdim=True).mean(2, keepdim=True)


class Exposure(nn.Module):
    """Brightness of the image, which standardising removes.

    A lamp can be dimmed, but where the product itself glows, as a solar cell does under current,
    a dark image is a finding. The last layer is initialised to zero and changes nothing at first.
    """

    HIDDEN = 16

    def __init__(self, width: int) -> None:
        super().__init__()
        self.hidden = nn.Conv2d(3, self.HIDDEN, 1)
        self.out = nn.Conv2d(self.HIDDEN, width, 1)
        for parameter in self.out.parameters():
            nn.init.zeros_(parameter)

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images (B, 3, S, S) to an addition to the tokens (B, D, g, g)."""
        grey = images.mean(dim=1, keepdim=True)
        patches = F.avg_pool2d(grey, ConvStem.STRIDE)
        level = grey.mean(dim=(2, 3), keepdim=True).expand_as(patches)
        deviation = grey.std(dim=(2, 3), keepdim=True).expand_as(patches)
        measured = torch.cat([patches, level, deviation], dim=1)
        added: Tensor = self.out(F.gelu(self.hidden(measured)))
        return added


def _pool(x: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Mean and maximum of (B, C, h, w) in each of side x side cells."""
    cell = x.shape[-1] // side
    return F.avg_pool2d(x, cell), F.max_pool2d(x, cell)


def standardise(images: Tensor) -> Tensor:
    """Images with mean 0 in every channel and deviation 1 over all channels together."""
    centred = images - images.mean(dim=(2, 3), keepdim=True)
    deviation = centred.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
    return centred / (deviation + _EPS)


def gabor_filters(count: int, size: int) -> Tensor:
    """Oriented edge and line detectors (count, 3, size, size) on grey, every fourth one on colour.

    Orientations cycle fastest, then wavelengths and phases.
    """
    axis = torch.arange(size) - (size - 1) / 2
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    opponent = torch.tensor([[1.0, -1.0, 0.0], [0.5, 0.5, -1.0]])
    filters = torch.zeros(count, 3, size, size)
    for index in range(count):
        angle = math.pi * (index % 6) / 6
        wavelength = (3.0, 5.0, 8.0)[index // 6 % 3]
        phase = math.pi / 2 * (index % 2)
        along = x * math.cos(angle) + y * math.sin(angle)
        envelope = torch.exp(-(x.square() + y.square()) / (2 * (size / 4) ** 2))
        wave = envelope * torch.cos(2 * math.pi * along / wavelength + phase)
        wave = wave - wave.mean()
        colour = opponent[index // 4 % 2] if index % 4 == 3 else torch.ones(3)
        kernel = colour[:, None, None] * wave
        filters[index] = kernel / kernel.norm()
    return filters
