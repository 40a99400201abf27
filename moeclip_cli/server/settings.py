"""How the server listens, and what it takes from its clients."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from moeclip_cli.bounded_text import read_small_text
from moeclip_cli.errors import UsageError

DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 8000
DEFAULT_MAX_BYTES = 50_000_000
DEFAULT_QUEUE = 64
DEFAULT_TIMEOUT = 30.0

_SHORTEST_TOKEN = 16
_TOKEN_BYTES = 10_000
_HELD_BODIES = 8


@dataclass(frozen=True)
class Limits:
    """Bounds on what clients may ask of the server.

    Attributes:
        max_bytes: largest body of a request.
        queue: most pictures that wait or are in work.
        seconds: time for the body of a request to arrive, and again for its pictures to be
            inspected.
        batch_size: most pictures in a forward pass; None for the default of the device.
        workers: threads that decode pictures.
    """

    max_bytes: int = DEFAULT_MAX_BYTES
    queue: int = DEFAULT_QUEUE
    seconds: float = DEFAULT_TIMEOUT
    batch_size: int | None = None
    workers: int = 1

    @property
    def held_bytes(self) -> int:
        """Most bytes of bodies in memory, of all requests together."""
        return _HELD_BODIES * self.max_bytes


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine reach an address or name."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_token(path: Path | None, variable: str | None) -> str | None:
    """The token that clients have to send, or None if there is none.

    Args:
        path: file that contains it.
        variable: value of the variable that contains it, which counts where there is no file.

    Raises:
        UsageError: if it is too short to be a secret, or has characters that headers lack.
    """
    if path is not None:
        try:
            text = read_small_text(path, "token file", limit=_TOKEN_BYTES)
        except UnicodeDecodeError as error:
            raise UsageError(f"The token file {path} is not text; write a new one.") from error
        return _checked(text.strip(), f"in {path}")
    return None if variable is None else _checked(variable.strip(), "of MOECLIP_TOKEN")


def _checked(token: str, where: str) -> str:
    if len(token) < _SHORTEST_TOKEN or not (token.isascii() and token.isprintable()):
        raise UsageError(
            f"The token {where} must have at least {_SHORTEST_TOKEN} ASCII characters; make one "
            "with: openssl rand -hex 32"
        )
    if " " in token:
        raise UsageError(f"The token {where} must not contain spaces.")
    return token
