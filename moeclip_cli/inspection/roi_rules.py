"""Regions of interest by folder and name of the images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from moeclip_cli.discovery.path_pattern import PathPattern
from moeclip_cli.errors import ImageError
from moeclip_cli.inspection.roi import RegionOfInterest
from moeclip_cli.inspection.roi_shapes import Shape, shape_from_json

Rules: TypeAlias = "tuple[tuple[str, tuple[Shape, ...]], ...]"
"""Patterns and the shapes of the images that they match; the first one decides."""


@dataclass(frozen=True)
class RegionRules:
    """What to inspect of which image.

    Attributes:
        file: name of the file with the rules.
        region: what to inspect. Without rules, all of each image; otherwise, each image needs one.
        ignore: what to leave out; of an image without a rule, nothing.
    """

    file: str
    region: Rules = ()
    ignore: Rules = ()

    @classmethod
    def from_json(cls, content: Any) -> RegionRules:
        """Read what `to_json` gives.

        Raises:
            ValueError, TypeError, LookupError, AttributeError: if it is anything else.
        """
        region, ignore = (
            tuple(
                (str(text), tuple(map(shape_from_json, shapes))) for text, shapes in content[name]
            )
            for name in ("region", "ignore")
        )
        return cls(str(content["rules"]), region, ignore)

    def to_json(self) -> Mapping[str, Any]:
        """The rules in JSON types."""
        found: dict[str, Any] = {"rules": self.file}
        for name, rules in (("region", self.region), ("ignore", self.ignore)):
            found[name] = [[text, [shape.to_json() for shape in shapes]] for text, shapes in rules]
        return found

    def for_image(self, path: str) -> RegionOfInterest:
        """The region of the image at a path, as the user wrote it.

        Raises:
            ImageError: if there are rules of what to inspect, but none is for this image.
        """
        region = self._first(self.region, path)
        if region is None and self.region:
            raise ImageError(
                f"No pattern in [region] of {self.file} matches the image; add one, such as "
                '"*" = "0,0,100%,100%" at the end for all other images.'
            )
        return RegionOfInterest(region or (), self._first(self.ignore, path) or ())

    def _first(self, rules: Rules, path: str) -> tuple[Shape, ...] | None:
        for text, shapes in rules:
            if path and PathPattern.parse(text, Path(self.file)).matches(Path(path)):
                return shapes
        return None


def regions_from_json(content: Any) -> RegionOfInterest | RegionRules:
    """Read what `to_json` of either gives.

    Raises:
        ValueError, TypeError, LookupError, AttributeError: if it is anything else.
    """
    kind: Any = RegionRules if "rules" in content else RegionOfInterest
    found: RegionOfInterest | RegionRules = kind.from_json(content)
    return found
