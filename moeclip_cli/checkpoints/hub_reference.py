"""References to files on the Hugging Face hub, as users write them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from moeclip_cli.bounded_text import shortened
from moeclip_cli.errors import UsageError

HUB_PREFIX = "hf://"
"""Beginning of a reference."""

_REFERENCE = re.compile(
    r"hf://(?P<repo>[\w.-]+/[\w.-]+)(?:/(?P<file>[\w./+-]+))?(?:@(?P<revision>[\w./+-]+))?",
    re.ASCII,
)


@dataclass(frozen=True)
class HubReference:
    """A file, or the only checkpoint, of a repository on the hub.

    Attributes:
        repo: "owner/name".
        file: path in the repository; None for its only checkpoint.
        revision: branch, tag or commit; None for the default branch.
    """

    repo: str
    file: str | None = None
    revision: str | None = None

    def __str__(self) -> str:
        file = f"/{self.file}" if self.file else ""
        revision = f"@{self.revision}" if self.revision else ""
        return f"{HUB_PREFIX}{self.repo}{file}{revision}"


def parse_reference(text: str) -> HubReference:
    """Read `hf://owner/repo[/file][@revision]`.

    Raises:
        UsageError: if it has another form.
    """
    match = _REFERENCE.fullmatch(text)
    if match is None or any(part in ("", ".", "..") for part in _path_parts(match)):
        raise UsageError(
            f"'{shortened(text, 200)}' is not of the form hf://owner/repo[/file][@revision]."
        )
    return HubReference(match["repo"], match["file"], match["revision"])


def _path_parts(match: re.Match[str]) -> list[str]:
    paths = [match["repo"], match["file"], match["revision"]]
    return [part for path in paths if path is not None for part in path.split("/")]
