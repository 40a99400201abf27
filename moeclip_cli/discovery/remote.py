"""Files at URLs, through fsspec: what a folder contains, the state of a file, its content."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import blake2b
from typing import Any, BinaryIO

from moeclip_cli.discovery.ordering import natural_key
from moeclip_cli.discovery.places import ImagePlace, Page, Place, RemoteFile
from moeclip_cli.errors import ImageError, MissingExtraError, UsageError
from moeclip_cli.extras import require_extra
from moeclip_cli.files import size_and_time

CONNECT_SECONDS = 10.0
"""Time to reach a web server."""

SILENT_SECONDS = 20.0
"""Time after which a web server that sends nothing is given up."""

FETCH_SECONDS = 300.0
"""Time after which a download is stopped."""

_CHUNK_BYTES = 1 << 20
_STATE_THREADS = 8

# What the file systems of fsspec call a version or a time of change.
_VERSIONS = (
    "ETag", "etag", "LastModified", "Last-Modified", "last_modified", "updated", "mtime", "modify",
    "created", "Content-MD5", "Digest", "sha",
)  # fmt: skip

_STATUSES = {
    401: "The server wants a login (401); give one as https://USER:PASSWORD@HOST/ or sign the URL.",
    403: "The server denies access (403); check that the URL is public, signed, or not expired.",
    404: "Not found (404); check the address.",
    410: "Gone (410): the server no longer has this file.",
    429: "The server got too many requests (429); try again later with --resume.",
}


def file_system(file: RemoteFile) -> Any:
    """The file system of fsspec that a URL belongs to.

    Raises:
        MissingExtraError: if a package that it needs is not installed.
        UsageError: if no file system has this scheme, or it refuses its settings.
    """
    require_extra("fsspec", "remote")
    import fsspec

    options: dict[str, Any] = {}
    if file.is_web_page:
        require_extra("aiohttp", "remote")
        import aiohttp

        limits = aiohttp.ClientTimeout(
            total=FETCH_SECONDS, sock_connect=CONNECT_SECONDS, sock_read=SILENT_SECONDS
        )
        # Encoding a URL once more would break its signature.
        encoded = file.url.isascii() and " " not in file.url
        options = {"client_kwargs": {"timeout": limits, "trust_env": True}, "encoded": encoded}
    try:
        return fsspec.core.url_to_fs(file.url, **options)[0]
    except ImportError as error:
        raise MissingExtraError(_missing_package(file.scheme, error)) from error
    except Exception as error:
        if file.scheme not in fsspec.available_protocols():
            raise UsageError(
                f"{file.scheme}:// addresses cannot be read; use https://, s3:// or another file "
                "system of fsspec."
            ) from error
        raise UsageError(f"{file} cannot be opened: {_reason(error, file)}") from error


def is_folder(file: RemoteFile) -> bool:
    """Whether a URL names a folder; never for http and https, whose pages are not searched.

    Raises:
        UsageError: as `file_system`, or if the server cannot be asked.
    """
    system = file_system(file)
    if file.is_web_page:
        return False
    with _usage_errors(file):
        return bool(system.isdir(system._strip_protocol(file.url)))


def files_below(folder: RemoteFile, *, recursive: bool) -> Iterator[str]:
    """The URLs of the files in a folder, in natural order, then those of its subfolders.

    Raises:
        UsageError: if a folder cannot be listed.
    """
    system = file_system(folder)
    root = system._strip_protocol(folder.url).rstrip("/")
    pending = [root]
    while pending:
        location = pending.pop()
        with _usage_errors(folder):
            entries = system.ls(location, detail=True)
        named = {entry["name"].rstrip("/"): entry["type"] for entry in entries}
        named.pop(location, None)  # object stores list the mark of an empty folder
        ordered = sorted(named, key=lambda name: natural_key(name.rpartition("/")[2]))
        for name in ordered:
            if named[name] != "directory":
                yield f"{folder.url.rstrip('/')}/{name[len(root) :].lstrip('/')}"
        if recursive:
            pending.extend(name for name in reversed(ordered) if named[name] == "directory")


def states_of(places: Sequence[ImagePlace]) -> list[tuple[int, int] | None]:
    """What identifies the present content of each file, such as size and modification time.

    Servers are asked in parallel.

    Returns:
        Two numbers for each, or None if the file is not found or its server tells neither a
        version nor a time.
    """
    if not any(isinstance(place, Place) for place in places):
        return [state_of(place) for place in places]
    with ThreadPoolExecutor(_STATE_THREADS, "moeclip-ask") as pool:
        return list(pool.map(state_of, places))


def state_of(place: ImagePlace) -> tuple[int, int] | None:
    """As `states_of`, of one file."""
    if isinstance(place, Page):
        return state_of(place.file)
    if not isinstance(place, Place):
        return size_and_time(place)
    return _remote_state(place) if isinstance(place, RemoteFile) else None


def _remote_state(file: RemoteFile) -> tuple[int, int] | None:
    try:
        system = file_system(file)
        info = system.info(system._strip_protocol(file.url))
    except Exception:  # noqa: BLE001 - reading the file will say what is wrong
        return None
    versions = [str(info[key]) for key in _VERSIONS if info.get(key)]
    if not versions:
        return None
    digest = blake2b("\n".join(versions).encode(), digest_size=7).digest()
    return int(info.get("size") or 0), int.from_bytes(digest, "little")


def fetch(file: RemoteFile, target: BinaryIO, most_bytes: int) -> None:
    """Write the content of a file at a URL to a stream.

    Args:
        file: the file.
        target: where to write.
        most_bytes: larger files are refused.

    Raises:
        ImageError: if the file cannot be read, is too large or takes too long.
    """
    try:
        system = file_system(file)
    except (MissingExtraError, UsageError) as error:
        raise ImageError(str(error), temporary=True) from error
    # A block size of 0 streams; a known size of 1 saves asking for the true one.
    options = {"block_size": 0, "size": 1} if file.is_web_page else {}
    try:
        with system.open(system._strip_protocol(file.url), "rb", **options) as stream:
            written = 0
            for chunk in _chunks(stream):
                written += len(chunk)
                if written > most_bytes:
                    raise ImageError(
                        f"The file has more than {most_bytes / 1e6:,.0f} MB, too many for an image "
                        "of permitted size; raise `max_pixels` if you trust it."
                    )
                target.write(chunk)
    except ImageError:
        raise
    except Exception as error:
        raise ImageError(_reason(error, file), temporary=True) from error


def _chunks(stream: Any) -> Iterable[bytes]:
    deadline = time.monotonic() + FETCH_SECONDS
    while chunk := stream.read(_CHUNK_BYTES):
        if time.monotonic() > deadline:
            raise TimeoutError
        yield chunk


@contextmanager
def _usage_errors(file: RemoteFile) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise UsageError(f"{file} cannot be opened: {_reason(error, file)}") from error


def _reason(error: Exception, file: RemoteFile) -> str:
    """What an error of a file system means, without the credentials of the URL."""
    status = getattr(error, "status", None)
    if status == 0:
        return "The server redirects in a circle; check the address."
    if isinstance(status, int):
        other = f"The server answered with an error ({status}); try again later."
        return _STATUSES.get(status, other)
    if isinstance(error, FileNotFoundError):
        return _STATUSES[404] if file.is_web_page else "Not found; check the address."
    if isinstance(error, TimeoutError):
        return (
            f"The server did not answer for {SILENT_SECONDS:.0f} seconds, or the download took "
            f"longer than {FETCH_SECONDS:.0f}; check the network and try again."
        )
    if isinstance(error, OSError) and getattr(error, "errno", None) == errno.ENOSPC:
        return "The folder for temporary files is full; free some space or set TMPDIR."
    cause = getattr(error, "os_error", None)
    if isinstance(cause, OSError):
        # aiohttp gives addresses instead of reasons, and lookups of names have negative numbers.
        number = cause.errno or 0
        reason = os.strerror(number) if number > 0 else cause.strerror or cause
        return f"The server cannot be reached: {reason}; check the address and the network."
    text = " ".join(str(error).replace(file.url, str(file)).split())
    return f"The file cannot be read ({type(error).__name__}: {text.rstrip('.')})."


def _missing_package(scheme: str, error: ImportError) -> str:
    from fsspec.registry import known_implementations

    package = known_implementations.get(scheme, {}).get("class", "").partition(".")[0]
    if package in ("", "fsspec"):
        return f"{scheme}:// addresses need a package that is not installed: {error}."
    return f"{scheme}:// addresses need {package}; install it with: pip install {package}"
