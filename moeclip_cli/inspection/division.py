"""Division of good parts: which become references, and which the threshold is found on."""

from __future__ import annotations

from typing import TypeVar

from moeclip_cli.errors import UsageError
from moeclip_cli.inspection.conformal import images_needed

# With so many images more than twice those that the rate takes, half of them are enough references.
_SPARE = 8

_T = TypeVar("_T")


def divided(
    paths: list[_T], false_alarms: float, split: bool | None = None
) -> tuple[list[_T], list[_T]]:
    """The images of good parts that become references, and those that the threshold is found on.

    Args:
        paths: of all images.
        false_alarms: rate in (0, 1) that the threshold is for.
        split: whether half of the images are no references; by default, if there are enough.

    Returns:
        The second part is empty if the threshold is from the references, each left out in turn.

    Raises:
        UsageError: if there are too few images.
    """
    require_two(len(paths))
    if split is None:
        split = len(paths) >= 2 * images_needed(false_alarms) + _SPARE
    if not split:
        return paths, []
    if len(paths) < 4:
        raise UsageError("`split` takes at least four images: two references and two others.")
    # Every other one, so that both halves cover the whole series.
    return paths[::2], paths[1::2]


def require_two(parts: int) -> None:
    """Refuse fewer references than a profile takes.

    Raises:
        UsageError: if there are fewer than two.
    """
    if parts < 2:
        raise UsageError("A profile with references takes at least two different good parts.")
