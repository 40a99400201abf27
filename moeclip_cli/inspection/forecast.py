"""How long a mutual comparison will take, from the time of its two steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from moeclip_cli.model.mutual import comparisons


@dataclass(frozen=True)
class StepTimes:
    """Times measured on this machine, with images of the set.

    Attributes:
        reading: seconds to decode an image and to compute its tokens.
        comparing: seconds to compare two images at one level and window.
        maps: number of levels and windows.
    """

    reading: float
    comparing: float
    maps: int

    def seconds(self, subsets: Sequence[int]) -> float:
        """Seconds to compare subsets with these numbers of images."""
        pairs = sum(map(comparisons, subsets))
        return self.reading * sum(subsets) + self.comparing * self.maps * pairs
