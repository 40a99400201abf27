"""moeclip: zero-shot visual inspection with MoECLIP.

Example:
    >>> from moeclip_cli import Inspector
    >>> inspector = Inspector.load()
    >>> for result in inspector.score("./parts/bracket.png", prompt="metal bracket"):
    ...     print(result.score, result.verdict)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moeclip_cli._version import __version__
from moeclip_cli.errors import (
    DatasetError,
    ImageError,
    MissingExtraError,
    ModelError,
    MoeclipError,
    ProcessLostError,
    UsageError,
)

if TYPE_CHECKING:
    from moeclip_cli.exports.onnx_inspector import OnnxInspector
    from moeclip_cli.inspection.inspector import Inspector
    from moeclip_cli.inspection.mutual import MutualInspector
    from moeclip_cli.inspection.profile import Profile
    from moeclip_cli.inspection.result import Region, Result

__all__ = [
    "DatasetError",
    "ImageError",
    "Inspector",
    "MissingExtraError",
    "ModelError",
    "MoeclipError",
    "MutualInspector",
    "OnnxInspector",
    "ProcessLostError",
    "Profile",
    "Region",
    "Result",
    "UsageError",
    "__version__",
]

_HOMES = {
    "Inspector": "moeclip_cli.inspection.inspector",
    "MutualInspector": "moeclip_cli.inspection.mutual",
    "OnnxInspector": "moeclip_cli.exports.onnx_inspector",
    "Profile": "moeclip_cli.inspection.profile",
    "Region": "moeclip_cli.inspection.result",
    "Result": "moeclip_cli.inspection.result",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use: importing torch takes seconds."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """List the public names, whether or not they have been imported."""
    return __all__
