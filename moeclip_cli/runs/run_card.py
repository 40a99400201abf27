"""`run.json`, the run card: settings, environment and progress of a run.

A card also tells a later command that the folder is the output of an earlier one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from moeclip_cli.discovery.walk import OUTPUT_MARKER
from moeclip_cli.files import is_present, replacing, write_errors

CARD = "run.json"


class RunCard:
    """The card of a run in progress.

    Args:
        folder: the output folder; see `make_output_folder`.
        settings: everything that decides the results.
        environment: versions, device and command line, see `moeclip_cli.runs.environment`.

    Attributes:
        environment: the same.

    Raises:
        UsageError: if the folder cannot be written.
    """

    def __init__(
        self, folder: Path, settings: Mapping[str, Any], environment: Mapping[str, Any]
    ) -> None:
        make_output_folder(folder)
        self.environment = dict(environment)
        self._folder = folder
        self._content = {
            "state": "running",
            "settings": dict(settings),
            "environment": self.environment,
        }
        self._write()

    def finish(self, summary: Mapping[str, Any], digests: Mapping[str, str]) -> None:
        """Record that the run is complete.

        Args:
            summary: counts.
            digests: SHA-256 of the files of the run, by name.

        Raises:
            UsageError: if the card cannot be written.
        """
        self._content |= {
            "state": "finished",
            "summary": dict(summary),
            "files": dict(digests),
        }
        self._write()

    def _write(self) -> None:
        write_card(self._folder, self._content)


def write_card(folder: Path, content: Mapping[str, Any]) -> None:
    """Replace the run card in `folder`.

    Raises:
        UsageError: if it cannot be written.
    """
    text = json.dumps(content, indent=2, ensure_ascii=False)
    # An undecodable byte of a path or an argument is a lone surrogate. "backslashreplace" writes it
    # as the JSON escape that is read back as the same surrogate.
    with replacing(folder / CARD, durable=True) as stream:
        stream.write(text.encode("utf-8", "backslashreplace") + b"\n")


def read_card(folder: Path) -> dict[str, Any] | None:
    """The content of the run card in `folder`, or None if it is missing or damaged.

    Raises:
        UsageError: if the folder cannot be entered.
    """
    try:
        with write_errors(folder):
            text = (folder / CARD).read_bytes() if is_present(folder / CARD) else b""
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def make_output_folder(folder: Path) -> None:
    """Make an output folder, marked so that the search for images leaves it out.

    Raises:
        UsageError: if the folder cannot be written.
    """
    with write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / OUTPUT_MARKER).touch()
