"""Optional dependencies, which `pip install "moeclip[EXTRA]"` installs.

Where moeclip-runtime is installed instead, `moeclip[EXTRA]` would add PyTorch and a second copy of
the package, so moeclip-runtime has extras of its own.
"""

from __future__ import annotations

from importlib import import_module, metadata
from importlib.util import find_spec

from moeclip_cli.errors import MissingExtraError

RUNTIME_EXTRAS = frozenset({"dicom", "excel", "heif", "mqtt", "openvino", "parquet", "remote"})
"""Those of moeclip-runtime; what the others are for needs PyTorch, or is not part of it."""


def installation(extra: str) -> str:
    """The command that installs an extra."""
    if not is_installed("moeclip-runtime"):
        return f'pip install "moeclip[{extra}]"'
    if extra in RUNTIME_EXTRAS:
        return f'pip install "moeclip-runtime[{extra}]"'
    return f'pip install "moeclip[{extra}]", in another environment than moeclip-runtime'


def is_installed(distribution: str) -> bool:
    """Whether a package is installed, by its name on the package index."""
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def require_extra(package: str, extra: str) -> None:
    """Check that an optional dependency can be imported.

    Args:
        package: name of the module to import.
        extra: extra of moeclip that installs it.

    Raises:
        MissingExtraError: if it cannot be imported; contains the command that installs it.
    """
    try:
        import_module(package)
    except ImportError as error:
        raise _missing(package, extra) from error


def require_installed(package: str, extra: str) -> None:
    """Check that an optional dependency is there, without the time that its import takes.

    Args:
        package: name of the top-level module.
        extra: extra of moeclip that installs it.

    Raises:
        MissingExtraError: if it is not installed; contains the command that installs it.
    """
    if find_spec(package) is None:
        raise _missing(package, extra)


def _missing(package: str, extra: str) -> MissingExtraError:
    return MissingExtraError(
        f"{package.partition('.')[0]} is not installed; install it with: {installation(extra)}"
    )
