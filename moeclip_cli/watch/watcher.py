"""`moeclip watch`: wait for pictures, inspect them, and finish each before the next."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from uuid import uuid4

from moeclip_cli.discovery.inputs import ImageRef
from moeclip_cli.files import size_and_time
from moeclip_cli.inspection.result import Result
from moeclip_cli.inspection.scorer import Scorer
from moeclip_cli.inspection.verdicts import ANOMALOUS
from moeclip_cli.runs.image_files import ImageFiles
from moeclip_cli.runs.input_log import describe_batch
from moeclip_cli.runs.stream import JobsOf, Pace, PromptFunction, results_with_files
from moeclip_cli.watch.actions import Actions
from moeclip_cli.watch.arrivals import Arrivals
from moeclip_cli.watch.backlog import Backlog
from moeclip_cli.watch.drift import Drift
from moeclip_cli.watch.in_hand import InHand, forget
from moeclip_cli.watch.left_out import read_left_out, write_left_out
from moeclip_cli.watch.picture import Picture, state_key
from moeclip_cli.watch.rows import Rows

# A pause of polling is at least this multiple of what the latest poll took.
_PAUSE_MULTIPLE = 2
# One poll sees a picture, and the next one that it has stayed the same. On a slow machine both may
# take longer than the time after which a watch is idle.
_POLLS_TO_COMPLETE = 2


@dataclass(frozen=True)
class Timing:
    """When things happen, in seconds.

    Attributes:
        poll: pause between two looks at the folder.
        retry: a picture that cannot be read is tried again when it has stayed the same for so long;
            None if it is known to be complete.
        idle: end when no picture came for so long; None to go on.
    """

    poll: float = 0.2
    retry: float | None = 5.0
    idle: float | None = None


@dataclass(frozen=True)
class Inspection:
    """How pictures are inspected.

    Attributes:
        scorer: gives the results.
        prompt: the name of the object on a picture.
        files: where its overlay and maps go.
        jobs_of: give, for an inspector, what writes them.
        pace: batch size and threads.
    """

    scorer: Scorer
    prompt: PromptFunction
    files: ImageFiles
    jobs_of: JobsOf
    pace: Pace


class Watcher:
    """Inspects pictures as they arrive, until it is asked to stop.

    Args:
        inspection: how they are inspected.
        arrivals: where they come from.
        rows: where their rows go.
        actions: what is done with each.
        timing: when to look, to try again and to end.
        wait: waits for some seconds, or until the watch has to stop, which it returns.

    Attributes:
        drift: comparison with the good parts of the profile.
        backlog: number of pictures that wait.
        vanished: number of pictures that were removed before they were inspected.
    """

    def __init__(
        self,
        inspection: Inspection,
        arrivals: Arrivals,
        rows: Rows,
        actions: Actions,
        timing: Timing,
        wait: Callable[[float], bool],
    ) -> None:
        self._inspection, self._arrivals, self._rows = inspection, arrivals, rows
        self._actions, self._timing, self._wait = actions, timing, wait
        self._folder = inspection.files.folder
        self._waiting: deque[Picture] = deque()
        self._tried: dict[str, Picture] = {}
        self._next_poll = 0.0
        self._error: str | None = None
        scorer = inspection.scorer
        self.drift = Drift(scorer.good_scores.scores, scorer.threshold.value)
        self.backlog = Backlog(0)
        self.vanished = 0

    def start(self, *, only_new: bool) -> int:
        """Finish what a killed process had in hand, and look at the folder for the first time.

        Args:
            only_new: leave out the pictures that are there when it is called for the first time.

        Returns:
            The number of pictures that are there without a row. They are inspected, or left out.

        Raises:
            UsageError: if a file in the output folder cannot be read or written.
        """
        if (in_hand := InHand.read(self._folder)) is not None:
            self._finish(in_hand)
        self._rows.require_even()
        earlier = read_left_out(self._folder) if only_new else None
        self._leave_out(earlier or ())
        self._arrivals.poll()
        if only_new and earlier is None:
            pictures = self._arrivals.leave_out()
            write_left_out(self._folder, pictures)
            self._leave_out(pictures)
            return len(pictures)
        self.backlog = Backlog(self._arrivals.incomplete)
        return self._arrivals.incomplete

    def run(self) -> None:
        """Inspect pictures until it is time to stop.

        Raises:
            UsageError: if a file in the output folder cannot be written.
        """
        latest, polls = time.monotonic(), 0
        while not self._wait(0):
            if time.monotonic() >= self._next_poll:
                self._poll()
                polls += 1
            if batch := self._next_batch():
                self._inspect(batch)
                latest, polls = time.monotonic(), 0
            elif polls >= _POLLS_TO_COMPLETE and self._is_idle(time.monotonic() - latest):
                return
            else:
                self._wait(max(0.0, self._next_poll - time.monotonic()))

    def counts(self) -> dict[str, int]:
        """Numbers for the summary, by what they count."""
        return {
            "waiting": len(self._waiting),
            "incomplete": self._arrivals.incomplete,
            "most waiting at once": self.backlog.most,
            "removed before they were inspected": self.vanished,
            "inspected during a drift": self.drift.pictures,
            **self._actions.counts(),
        }

    def _is_idle(self, seconds: float) -> bool:
        return self._timing.idle is not None and not self._tried and seconds > self._timing.idle

    def _leave_out(self, pictures: Iterable[Picture]) -> None:
        for each in pictures:
            self._rows.states.add(state_key(each.name, each.size, each.modified_ns))

    def _poll(self) -> None:
        started = time.monotonic()
        self._waiting.extend(self._arrivals.poll())
        now = time.monotonic()
        self._next_poll = now + max(self._timing.poll, _PAUSE_MULTIPLE * (now - started))
        if (sentence := self.backlog.observe(len(self._waiting))) is not None:
            self._actions.say(sentence)
        if self._arrivals.error != self._error:
            self._error = self._arrivals.error
            self._actions.say(
                "All folders can be listed again."
                if self._error is None
                else f"Cannot list {self._error}; it is tried again until it works."
            )

    def _next_batch(self) -> list[Picture]:
        """The next pictures that are still as they were; others come again, or have gone."""
        batch: list[Picture] = []
        while self._waiting and len(batch) < self._inspection.pace.batch_size:
            picture = self._waiting.popleft()
            path = self._arrivals.path(picture)
            if any(self._key(picture, name) in self._rows.states for name in _names(picture)):
                continue
            if picture.is_unchanged(path):
                batch.append(picture)
            elif size_and_time(path) is None:
                self._vanish(picture, path)
        return batch

    def _inspect(self, batch: list[Picture]) -> None:
        refs = [ImageRef(self._arrivals.path(each), self._output_name(each)) for each in batch]
        one = self._inspection
        results = results_with_files(one.scorer, refs, one.prompt, one.jobs_of, one.pace)
        for picture, (ref, result) in zip(batch, results, strict=True):
            if result.error is None or self._is_final(picture, self._arrivals.path(picture)):
                self._settle(picture, ref, result)

    def _is_final(self, picture: Picture, path: Path) -> bool:
        """Whether a picture that cannot be read gets a row, or another try."""
        if size_and_time(path) is None:
            self._vanish(picture, path)
            return False
        if not picture.is_unchanged(path):
            return False  # it comes again
        tried = self._tried.pop(picture.name, None) == picture
        if self._timing.retry is None or tried:
            return True
        self._tried[picture.name] = picture
        self._arrivals.postpone(picture, self._timing.retry)
        return False

    def _settle(self, picture: Picture, ref: ImageRef, result: Result) -> None:
        self._tried.pop(picture.name, None)
        event = {
            **result.to_dict(),
            "id": uuid4().hex,
            "time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
            "moved_to": None,
        }
        files, scored = self._inspection.files, result.error is None
        left_out = files.anomalous_only and scored and not files.wants_overlay(result)
        record = replace(
            describe_batch([ref])[0],
            size=picture.size,
            modified_ns=picture.modified_ns,
            scored=scored,
            overlay=not left_out,
        )
        destination = self._actions.destination(picture, event)
        in_hand = InHand(len(self._rows), event, record, picture, destination)
        in_hand.write(self._folder)
        self._finish(in_hand)

    def _finish(self, in_hand: InHand) -> None:
        row = in_hand.row
        self._rows.complete(in_hand.number, row, in_hand.record)
        self._actions.perform(in_hand, self._arrivals.path(in_hand.picture))
        forget(self._folder)
        if row.score is None or row.verdict == ANOMALOUS:
            return
        if (sentence := self.drift.add(row.score)) is not None:
            self._actions.say(sentence)

    def _output_name(self, picture: Picture) -> str:
        """The name of its overlay: its own, unless an earlier picture has had that."""
        return picture.dated_name if picture.name in self._rows.names else picture.name

    def _vanish(self, picture: Picture, path: Path) -> None:
        self._arrivals.forget(picture.name)
        self.vanished += 1
        self._actions.say(f"{path} was removed before it was inspected.")

    @staticmethod
    def _key(picture: Picture, name: str) -> str:
        return state_key(name, picture.size, picture.modified_ns)


def _names(picture: Picture) -> tuple[str, str]:
    return picture.name, picture.dated_name
