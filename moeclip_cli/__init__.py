"""moeclip: zero-shot visual inspection with MoECLIP.

Example:
    >>> from moeclip_cli import Inspector
    >>> inspector = Inspector.load()
    >>> for result in inspector.score("./parts/bracket.png", prompt="metal bracket"):
    ...     print(result.score, result.verdict)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from moeclip_cli.errors import MoeclipError
    from moeclip_cli.inspection.inspector import Inspector
    from moeclip_cli.inspection.profile import Profile
    from moeclip_cli.inspection.result import Region, Result

__version__ = "0.1.0"

__all__ = ["Inspector", "MoeclipError", "Profile", "Region", "Result", "__version__"]

_HOMES = {
    "Inspector": "moeclip_cli.inspection.inspector",
    "MoeclipError": "moeclip_cli.errors",
    "Profile": "moeclip_cli.inspection.profile",
    "Region": "moeclip_cli.inspection.result",
    "Result": "moeclip_cli.inspection.result",
}


def __getattr__(name: str) -> Any:
    """Import the public names when they are first used: torch takes seconds to import."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
