"""The configuration of the network: one immutable record of all that it computes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from moeclip_cli.bounded_text import shortened
from moeclip_cli.errors import ModelError

Domain = Literal["industrial", "medical"]

PAPER_BACKBONE = "ViT-L-14-336"
"""open_clip's name of the CLIP that the paper uses, with OpenAI's weights."""

PAPER_IMAGE_SIZE = 518
"""Side in pixels of the network input in the paper."""

MAX_IMAGE_SIZE = 4096
"""Largest side in pixels of a network input."""

MAX_BLOCKS = 256
"""Most blocks of a tower; the largest published CLIP has 56."""

# Larger numbers make no sense in a network, and could exhaust memory if a hostile file has them.
_LARGEST = {"rank": 1024, "experts": 256, "top_k": 256}
_LARGEST_ALPHA = 1e6


@dataclass(frozen=True)
class NetworkConfig:
    """Configuration of the MoECLIP network (Park et al., CVPR 2026, sections 3 and 4).

    Attributes:
        layers: transformer blocks whose outputs are the feature levels, numbered from 1, ascending;
            an adapter follows each. The paper uses the quarter depths of the tower.
        rank: rank r of each LoRA expert.
        experts: number K of experts per adapter.
        top_k: number of experts that the router selects for each token.
        alpha: LoRA scale; the output of an expert is multiplied by alpha / rank.
        dropout: probability of dropping an input feature of the experts, in training only.
        mix: weight w of the adapted token in the residual mixture w * adapted + (1 - w) * token.
        fofs: give each expert its own frozen orthonormal slice of the features (FOFS).
        aggregation: compute three maps per level (1x1, 3x3 and 5x5 means) instead of one.
        shared_projections: use one projection for all maps of a level.
        relu: apply a LeakyReLU after each projection.
        quick_gelu: use QuickGELU in the towers; the authors use exact GELU.
        image_size: side of the square network input in pixels.
        moe_layers: blocks that an adapter follows, where they are not the levels; numbered from 1
            (the --moe_layers of the authors' code count from 0).
        adapted_tower: let the blocks after an adapter read its output, as in the paper. If not, the
            tower stays as it was published and adapters change copies of its levels: one pass then
            serves zero-shot scores and the comparison with references, and training can keep the
            levels of an image instead of computing them again. Not part of the paper.
        self_comparison: add to each token a learned function of its distances to the other patches
            of its image; without `adapted_tower` only. Not part of the paper.
        detail: put the tokens of a small second tower beside those of every level; without
            `adapted_tower` only. Not part of the paper.
    """

    layers: tuple[int, ...] = (6, 12, 18, 24)
    rank: int = 8
    experts: int = 4
    top_k: int = 2
    alpha: float = 16.0
    dropout: float = 0.05
    mix: float = 0.1
    fofs: bool = True
    aggregation: bool = True
    shared_projections: bool = True
    relu: bool = False
    quick_gelu: bool = False
    image_size: int = PAPER_IMAGE_SIZE
    moe_layers: tuple[int, ...] | None = None
    adapted_tower: bool = True
    self_comparison: bool = False
    detail: bool = False

    def __post_init__(self) -> None:
        _require_blocks("layers", self.layers)
        if self.moe_layers is not None:
            _require_blocks("moe_layers", self.moe_layers)
            if not self.adapted_tower:
                raise ModelError(
                    "Without `adapted_tower` the adapters change the levels; omit `moe_layers`."
                )
        for name, largest in _LARGEST.items():
            _require(
                1 <= getattr(self, name) <= largest, name, f"at least 1 and at most {largest}", self
            )
        check_image_side(self.image_size)
        alpha = f"above 0 and at most {_LARGEST_ALPHA:,.0f}"
        _require(0 < self.alpha <= _LARGEST_ALPHA, "alpha", alpha, self)
        _require(0 <= self.dropout < 1, "dropout", "at least 0 and below 1", self)
        _require(0 <= self.mix <= 1, "mix", "between 0 and 1", self)
        if self.self_comparison and self.adapted_tower:
            raise ModelError(
                "`self_comparison` compares the patches of a frozen tower; use `no_adapted_tower` "
                "(adapted_tower = false in a configuration)."
            )
        if self.detail and self.adapted_tower:
            raise ModelError(
                "`detail` adds to the levels of a frozen tower; use `no_adapted_tower` "
                "(adapted_tower = false in a configuration)."
            )
        if self.top_k > self.experts:
            raise ModelError(
                f"`top_k` is {self.top_k}, but there are only {self.experts} experts; lower it."
            )

    @property
    def adapter_blocks(self) -> tuple[int, ...]:
        """The blocks that an adapter follows."""
        return self.layers if self.moe_layers is None else self.moe_layers

    def check_depth(self, blocks: int) -> None:
        """Refuse levels that a tower does not have, and adapters that no level shows.

        Args:
            blocks: number of blocks of the tower.

        Raises:
            ModelError: if there are such.
        """
        last, adapter = self.layers[-1], self.adapter_blocks[-1]
        if last > blocks:
            what = "level" if self.moe_layers else "adapter"
            raise ModelError(
                f"The last {what} follows block {last}, but the backbone has only {blocks} blocks; "
                "change `layers`."
            )
        if adapter > last:
            raise ModelError(
                f"The adapter after block {adapter} has no effect: the last level is block {last}; "
                "change `moe_layers` or `layers`."
            )

    @property
    def maps_per_level(self) -> int:
        """Maps that one level yields: 3 with patch average aggregation, else 1."""
        return 3 if self.aggregation else 1

    @property
    def maps(self) -> int:
        """Number M of anomaly maps of one image."""
        return len(self.layers) * self.maps_per_level

    @property
    def projections(self) -> int:
        """Number of patch projections."""
        return len(self.layers) if self.shared_projections else self.maps


def check_image_side(side: int, name: str = "image_size") -> None:
    """Refuse a side of the network input that no network has, before anything is built for it.

    Args:
        side: in pixels.
        name: parameter that it comes from, for messages.

    Raises:
        ModelError: if it is out of range.
    """
    if not 1 <= side <= MAX_IMAGE_SIZE:
        raise ModelError(
            f"`{name}` must be at least 1 and at most {MAX_IMAGE_SIZE} pixels, not {side}."
        )


def _require_blocks(name: str, numbers: tuple[int, ...]) -> None:
    if not numbers or list(numbers) != sorted(set(numbers)) or numbers[0] < 1:
        raise ModelError(
            f"`{name}` must be ascending block numbers from 1, not {shortened(list(numbers))}."
        )
    if numbers[-1] > MAX_BLOCKS:
        raise ModelError(f"`{name}` must be at most {MAX_BLOCKS}, not {numbers[-1]}.")


def _require(valid: bool, name: str, range_: str, config: NetworkConfig) -> None:
    if not valid:
        raise ModelError(f"`{name}` must be {range_}, not {getattr(config, name)}.")


def quarter_depths(blocks: int) -> tuple[int, ...]:
    """The four 1-based block numbers at the quarter depths of a tower with `blocks` blocks.

    Raises:
        ModelError: if the tower has fewer than four blocks.
    """
    if blocks < 4:
        raise ModelError(f"A tower of {blocks} blocks has no quarter depths; set `layers`.")
    return tuple(blocks * quarter // 4 for quarter in (1, 2, 3, 4))
