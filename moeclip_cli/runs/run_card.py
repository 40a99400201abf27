"""`run.json`, the run card: what was run, with what, where, and how far it came.

Its presence is also how a later command tells its own output folder from a stranger's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from moeclip_cli.images.walk import OUTPUT_MARKER
from moeclip_cli.reports.files import replacing, write_errors

CARD = "run.json"


class RunCard:
    """The card of a run that is on.

    Args:
        folder: the output folder; made if missing, and marked as one.
        settings: everything that decides the results.
        environment: what else a reader may need: versions, device, command line.

    Raises:
        UsageError: if the folder cannot be written.
    """

    def __init__(
        self, folder: Path, settings: Mapping[str, Any], environment: Mapping[str, Any]
    ) -> None:
        with write_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / OUTPUT_MARKER).touch()
        self._path = folder / CARD
        self._content = {
            "state": "running",
            "settings": dict(settings),
            "environment": dict(environment),
        }
        self._write()

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Record that the run came to its end."""
        self._content |= {"state": "finished", "summary": dict(summary)}
        self._write()

    def _write(self) -> None:
        text = json.dumps(self._content, indent=2, ensure_ascii=False)
        with replacing(self._path) as stream:
            stream.write(text.encode() + b"\n")


def read_card(folder: Path) -> dict[str, Any] | None:
    """The content of the run card in `folder`, or None if no run left one."""
    try:
        content = json.loads((folder / CARD).read_bytes())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
