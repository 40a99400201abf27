"""Generated images of textures, parts and panels, with defects and their exact masks."""

from moeclip_cli.datasets.synthetic.generator import (
    CELLS,
    COMMON_KINDS,
    FAMILIES,
    HELD_OUT_DEFECTS,
    HELD_OUT_FAMILIES,
    KINDS,
    MIN_SIDE,
    TRAINING_DEFECTS,
    TRAINING_FAMILIES,
    SyntheticPair,
    generate,
    plant_defect,
)

__all__ = [
    "CELLS",
    "COMMON_KINDS",
    "FAMILIES",
    "HELD_OUT_DEFECTS",
    "HELD_OUT_FAMILIES",
    "KINDS",
    "MIN_SIDE",
    "TRAINING_DEFECTS",
    "TRAINING_FAMILIES",
    "SyntheticPair",
    "generate",
    "plant_defect",
]
