"""The interface of the towers of a backbone.

Shapes: B images, L patches, P prefix tokens, D vision width, W text width.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class VisionTower(nn.Module):
    """A transformer over image patches, taken apart so that adapters can act between its blocks.

    Its tokens are (B, P + L, D): the prefix tokens first, then the patches row by row.

    Attributes:
        blocks: each maps tokens to tokens.
        norm: the final layer norm, (..., D) to (..., D).
        prefix_tokens: P, the class token and any registers.
    """

    blocks: nn.ModuleList
    norm: nn.Module
    prefix_tokens: int

    def __init__(self) -> None:
        super().__init__()
        self._kept: dict[tuple[int, int], Tensor] = {}

    def embed(self, images: Tensor) -> Tensor:
        """Tokens that enter the first block.

        Args:
            images: (B, 3, H, W) normalised, H and W multiples of the patch size. A tower of CLIP
                takes squares only.

        Returns:
            (B, P + L, D).
        """
        raise NotImplementedError

    def resized_positions(self, rows: int, columns: int) -> Tensor:
        """Position embeddings for a grid of patches."""
        raise NotImplementedError

    def positions(self, rows: int, columns: int) -> Tensor:
        """The same, or what `keeping_positions` has kept of them."""
        # Asked first: the sides of a graph for any aspect ratio are symbols without a hash.
        if self._kept and (rows, columns) in self._kept:
            return self._kept[rows, columns]
        return self.resized_positions(rows, columns)

    @contextmanager
    def keeping_positions(self, grids: Iterable[tuple[int, int]]) -> Iterator[None]:
        """Make the position embeddings for these grids constants of a graph that is traced here.

        Runtimes differ in how they resize: OpenVINO's bicubic filter is not PyTorch's.
        """
        self._kept = {grid: self.resized_positions(*grid).detach() for grid in grids}
        try:
            yield
        finally:
            self._kept = {}

    def patches(self, tokens: Tensor) -> Tensor:
        """Tokens (B, P + L, D) without the prefix, (B, L, D)."""
        return tokens[:, self.prefix_tokens :]

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type that the tower runs in."""
        return next(self.parameters()).dtype


class TextTower(nn.Module):
    """A text encoder with its tokenizer."""

    def tokenize(self, sentences: Sequence[str]) -> Tensor:
        """Token ids (n, context length), on the device of the tower."""
        raise NotImplementedError

    def forward(self, tokens: Tensor) -> Tensor:
        """Encode token ids (n, context length) to (n, W)."""
        raise NotImplementedError
