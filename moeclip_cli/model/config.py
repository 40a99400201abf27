"""Everything that decides what the network computes, in one immutable record."""

from __future__ import annotations

from dataclasses import dataclass

from moeclip_cli.errors import ModelError


@dataclass(frozen=True)
class NetworkConfig:
    """Configuration of the MoECLIP network (Park et al., CVPR 2026, sections 3 and 4).

    Attributes:
        layers: 1-based numbers of the transformer blocks that an adapter follows, ascending; their
            outputs are also the feature levels. The paper uses the quarter depths of the tower.
        rank: rank r of each LoRA expert.
        experts: number K of experts in every adapter.
        top_k: how many experts the router picks for a token.
        alpha: LoRA scale; an expert's output is multiplied by alpha / rank.
        dropout: probability of dropping an input feature of the experts, in training only.
        mix: weight w of the adapted token in the residual mixture w * adapted + (1 - w) * token.
        fofs: whether every expert reads its own frozen orthonormal slice of the features (FOFS).
        aggregation: whether each level yields three maps (1x1, 3x3 and 5x5 means) instead of one.
        shared_projections: whether the maps of a level share one projection.
        relu: whether a LeakyReLU follows each projection.
        quick_gelu: whether the towers use QuickGELU; the authors run exact GELU.
        image_size: side in pixels of the square network input.
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
    image_size: int = 518

    def __post_init__(self) -> None:
        if not self.layers or list(self.layers) != sorted(set(self.layers)) or self.layers[0] < 1:
            raise ModelError(
                f"Adapter layers must be ascending block numbers from 1, not {list(self.layers)}."
            )
        for name in ("rank", "experts", "top_k", "image_size"):
            if getattr(self, name) < 1:
                raise ModelError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if self.top_k > self.experts:
            raise ModelError(
                f"top_k is {self.top_k}, but there are only {self.experts} experts to pick from."
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
        """Number of segmentation projections."""
        return len(self.layers) if self.shared_projections else self.maps


def quarter_depths(blocks: int) -> tuple[int, ...]:
    """The four 1-based block numbers at the quarter depths of a tower with `blocks` blocks.

    Raises:
        ModelError: if the tower has fewer than four blocks.
    """
    if blocks < 4:
        raise ModelError(f"A tower of {blocks} blocks has no quarter depths; name the layers.")
    return tuple(blocks * quarter // 4 for quarter in (1, 2, 3, 4))
