"""A command that is run for each picture."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from moeclip_cli.errors import UsageError

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_KNOWN = ("path", "verdict", "score", "id")
_STANDARD_ERROR = 2


class Hook:
    """A command with placeholders for the facts of a picture; it is run without a shell.

    It gets the event as one JSON object on standard input. What it prints goes to standard error.

    Args:
        command: program and arguments, quoted as for a shell, with {path}, {verdict}, {score} and
            {id}.
        timeout: seconds after which the command and its children are killed.

    Raises:
        UsageError: if the command is empty, not found, or has another placeholder.
    """

    def __init__(self, command: str, timeout: float) -> None:
        try:
            self._words = shlex.split(command)
        except ValueError as error:
            raise UsageError(f"`hook` cannot be split into words: {error}.") from error
        if not self._words or shutil.which(self._words[0]) is None:
            program = self._words[0] if self._words else ""
            raise UsageError(f"The program '{program}' of `hook` was not found; check its path.")
        for name in _PLACEHOLDER.findall(" ".join(self._words)):
            if name not in _KNOWN:
                known = ", ".join(f"{{{each}}}" for each in _KNOWN)
                raise UsageError(f"`hook` has an unknown placeholder {{{name}}}; use {known}.")
        self._timeout = timeout

    def run(self, event: Mapping[str, Any]) -> str | None:
        """Run the command for a picture.

        Args:
            event: facts about the picture.

        Returns:
            What went wrong, if anything.
        """
        values = {
            "path": str(event["moved_to"] or event["path"]),
            "verdict": event["verdict"] or "unreadable",
            "score": "" if event["score"] is None else f"{event['score']:.6f}",
            "id": event["id"],
        }
        words = [_PLACEHOLDER.sub(lambda found: values[found[1]], word) for word in self._words]
        try:
            process = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=_STANDARD_ERROR,
                # Ctrl-C is for this process; the command in hand ends by itself.
                start_new_session=True,
            )
        except OSError as error:
            return f"cannot be started: {error.strerror}"
        try:
            process.communicate(json.dumps(event).encode() + b"\n", timeout=self._timeout)
        except subprocess.TimeoutExpired:
            _kill(process)
            return f"was stopped after {self._timeout:g} s"
        return f"ended with code {process.returncode}" if process.returncode else None


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a command and, where the system has groups of processes, its children."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()
