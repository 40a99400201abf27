"""Places of images: a path on this machine, or an address elsewhere."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit, urlunsplit

# Two letters at least: one is a drive of Windows.
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_WEB = ("http", "https")

# Query parameters that give access, such as X-Amz-Signature, sig, access_token and api_key.
_SECRET_NAME = re.compile(r"sig|token|key|secret|pass|pwd|auth|credential", re.IGNORECASE)
_LONGEST_PUBLIC = 40


class Place(ABC):
    """Where an image is, if a path does not say it. `str` gives the name in tables."""

    @abstractmethod
    def __str__(self) -> str: ...


ImagePlace: TypeAlias = Path | Place
"""A path, or a place of another kind."""


@dataclass(frozen=True)
class RemoteFile(Place):
    """A file at a URL.

    Attributes:
        url: as the user wrote it, which may contain credentials; `str` gives it without them.
    """

    url: str

    def __str__(self) -> str:
        return shown_url(self.url)

    def __repr__(self) -> str:
        return f"RemoteFile({str(self)!r})"

    @property
    def scheme(self) -> str:
        """What comes before "://", in lower case."""
        return self.url.partition("://")[0].lower()

    @property
    def is_web_page(self) -> bool:
        """True for http and https, which have no folders."""
        return self.scheme in _WEB


@dataclass(frozen=True)
class Page(Place):
    """A page of a file, or a frame of an animation or a video.

    Attributes:
        file: the file.
        number: of the page; the first has 1.
    """

    file: ImagePlace
    number: int

    def __str__(self) -> str:
        return f"{self.file}#{self.number}"


def is_url(text: str) -> bool:
    """Return True if a text starts like a URL."""
    return _URL.match(text) is not None


def place_of(image: str | os.PathLike[str]) -> ImagePlace:
    """The place that a path or a URL names."""
    if isinstance(image, str) and is_url(image):
        return RemoteFile(image)
    return Path(image)


def shown_url(url: str) -> str:
    """A URL without credentials: user name, password, and secrets among the query parameters.

    A parameter is left out if its name says that it gives access, or its value is so long that it
    may.
    """
    scheme, separator, rest = url.partition("://")
    if scheme.lower() not in _WEB:
        host, slash, path = rest.partition("/")
        return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"
    try:
        parts = urlsplit(url)
    except ValueError:  # not a valid host
        return f"{scheme}{separator}{rest.partition('/')[0].rpartition('@')[2]}"
    query = "&".join(each for each in parts.query.split("&") if not _is_secret(each))
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, query, ""))


def _is_secret(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return _SECRET_NAME.search(name) is not None or len(value) > _LONGEST_PUBLIC


def anchor_of(place: ImagePlace) -> str:
    """Return a text that is the same for the same file, and looks like an absolute POSIX path.

    Paths have no "..". URLs have one slash behind the scheme, and no empty components.
    """
    if isinstance(place, Place):
        scheme, _, rest = str(place).partition("://")
        parts = (_EMPTY.get(part, part) for part in rest.split("/"))
        return f"{scheme.lower()}:/{'/'.join(parts)}"
    if place.name == "..":
        return Path(os.path.realpath(place)).as_posix()
    if ".." in place.parts:  # after a link, ".." is not the parent that the path spells
        return (Path(os.path.realpath(place.parent)) / place.name).as_posix()
    return place.absolute().as_posix()


# Components that paths drop, encoded so that different URLs keep different names.
_EMPTY = {"": "%", ".": "%2E"}
