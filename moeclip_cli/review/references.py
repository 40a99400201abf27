"""A profile from the images that were labelled good, made in the background by a process.

A process can be ended at any time, and gives back its memory. Its protocol is described in
`reference_process.py`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from multiprocessing.spawn import get_executable
from typing import Any, Literal

from moeclip_cli.errors import MoeclipError, UsageError
from moeclip_cli.review.whereabouts import whereabouts
from moeclip_cli.runs.finished_run import FinishedRun
from moeclip_cli.runs.input_log import InputRecord

# The search path is passed on, as the process must not import from the current folder.
_COMMAND = (
    "import sys; sys.path[:] = sys.argv[1:];"
    "from moeclip_cli.review.reference_process import serve; serve()"
)


@dataclass(frozen=True)
class Progress:
    """How far a profile is.

    Attributes:
        state: "idle" before the first one.
        done: number of images that were read.
        total: number of images.
        profile: the finished file.
        made: what is said of it; see `reference_process.py`.
        text: why there is no profile.
    """

    state: Literal["idle", "working", "done", "failed"] = "idle"
    done: int = 0
    total: int = 0
    profile: str = ""
    made: dict[str, Any] | None = None
    text: str = ""


class ReferenceMaker:
    """Makes one profile at a time. Thread-safe.

    Args:
        explain: the sentence about an exception.

    Attributes:
        progress: how far the latest profile is.
    """

    def __init__(self, explain: Callable[[BaseException], str]) -> None:
        self.progress = Progress()
        self._explain = explain
        self._lock = threading.Lock()
        self._stopped = False
        self._process: subprocess.Popen[str] | None = None

    def start(self, run: FinishedRun, images: list[InputRecord | None]) -> None:
        """Begin a profile.

        Args:
            run: the run with its prompt and framing.
            images: the files of good parts when they were scored.

        Raises:
            UsageError: if there are too few, a profile is being made, or the run has several
                prompts.
        """
        if run.settings["prompt_rules"] is not None:
            raise UsageError(
                "A profile is for one product, but the prompts of this run are by rule."
            )
        if len(images) < 2:
            raise UsageError("Label two images of different good parts at least.")
        with self._lock:
            if self.progress.state == "working":
                raise UsageError("A profile is being made; wait for it.")
            self.progress = Progress("working", total=len(images))
        threading.Thread(
            target=self._work, args=(run, images), name="moeclip-references", daemon=True
        ).start()

    def stop(self) -> None:
        """End the profile that is being made, and make no other."""
        with self._lock:
            self._stopped = True
            if self._process is not None:
                self._process.kill()

    def _work(self, run: FinishedRun, images: list[InputRecord | None]) -> None:
        try:
            for image in images:
                whereabouts(run, image)
            self._follow(run, [asdict(image) for image in images if image is not None])
        except Exception as error:  # noqa: BLE001 - the page is told
            self.progress = replace(self.progress, state="failed", text=self._explain(error))

    def _follow(self, run: FinishedRun, images: list[dict[str, Any]]) -> None:
        """Start the process, and take its replies until it ends."""
        with self._lock:
            if self._stopped:
                return
            self._process = subprocess.Popen(
                [os.fsdecode(get_executable()), "-c", _COMMAND, *sys.path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                encoding="utf-8",
            )
        process = self._process
        assert process.stdin is not None and process.stdout is not None  # noqa: S101
        with process:
            process.stdin.write(json.dumps({"folder": str(run.folder), "images": images}) + "\n")
            process.stdin.flush()
            for line in process.stdout:
                self._take(json.loads(line))
        if self.progress.state == "working":
            raise MoeclipError(
                f"The process that makes the profile ended (code {process.returncode}), perhaps "
                "as memory ran out; close other programs, or label fewer images good."
            )

    def _take(self, reply: dict[str, Any]) -> None:
        if "error" in reply:
            kind = MoeclipError if reply["expected"] else RuntimeError
            raise kind(reply["error"])
        if "profile" in reply:
            profile = reply.pop("profile")
            self.progress = replace(self.progress, state="done", profile=profile, made=reply)
        else:
            self.progress = replace(self.progress, done=reply["done"])
