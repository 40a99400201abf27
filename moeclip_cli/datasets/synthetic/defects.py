"""Types of defect.

Each is a function of a square image (n, n, 3) in [0, 1], the site of the defect and a random
generator; it returns the changed image and a mask (n, n) of the defect.
"""

from __future__ import annotations

from moeclip_cli.datasets.synthetic import area_defects, line_defects
from moeclip_cli.datasets.synthetic.defect_drawing import Defect

DEFECTS: dict[str, Defect] = {
    "scratch": line_defects.scratch,
    "crack": line_defects.crack,
    "hair": line_defects.hair,
    "stain": area_defects.stain,
    "hole": area_defects.hole,
    "spots": line_defects.spots,
    "cut_paste": area_defects.cut_paste,
    "foreign": area_defects.foreign,
    "blur": area_defects.blur,
    "warp": area_defects.warp,
    "pull": line_defects.pull,
    "shift": area_defects.shift,
    "missing": area_defects.missing,
    "wear": area_defects.wear,
    "shade": area_defects.shade,
    "fold": line_defects.fold,
    "dent": area_defects.dent,
    "corrosion": area_defects.corrosion,
    "smear": area_defects.smear,
    "discolour": area_defects.discolour,
    "dead": area_defects.dead,
    "breaks": line_defects.breaks,
}
"""Drawing function by type of defect."""
