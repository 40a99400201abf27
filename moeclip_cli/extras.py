"""Optional dependencies, which `pip install "moeclip[EXTRA]"` installs."""

from __future__ import annotations

from importlib import import_module

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
        raise MissingExtraError(
            f"{package.partition('.')[0]} is not installed; install it with: "
            f'pip install "moeclip[{extra}]"'
        ) from error
