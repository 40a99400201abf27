"""Optional dependencies, which `pip install "moeclip[EXTRA]"` installs."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from moeclip_cli.errors import MissingExtraError


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
        f"{package.partition('.')[0]} is not installed; install it with: "
        f'pip install "moeclip[{extra}]"'
    )
