"""A watch from its output folder to its summary."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from moeclip_cli.discovery.inputs import anchor_of
from moeclip_cli.errors import UsageError
from moeclip_cli.inspection.scorer import Scorer
from moeclip_cli.runs.folder import RunFolder
from moeclip_cli.runs.good_scores_file import write_good_scores
from moeclip_cli.runs.image_files import ImageFiles
from moeclip_cli.runs.kinds import SCORE
from moeclip_cli.runs.score_run import Outputs, file_jobs
from moeclip_cli.runs.stream import Pace, PromptFunction
from moeclip_cli.runs.summary import Summary
from moeclip_cli.watch.actions import Actions, moved_folders
from moeclip_cli.watch.arrivals import Arrivals
from moeclip_cli.watch.in_hand import IN_HAND
from moeclip_cli.watch.left_out import LEFT_OUT
from moeclip_cli.watch.mqtt import Mqtt
from moeclip_cli.watch.rows import Rows
from moeclip_cli.watch.watcher import Inspection, Timing, Watcher
from moeclip_cli.watch.webhook import Webhook

WATCH = replace(
    SCORE,
    noun="watch",
    setting="watched_folder",
    files=(*SCORE.files, LEFT_OUT, IN_HAND),
    folders=(*SCORE.folders, Webhook.folder, Mqtt.folder),
    how_to_resume="",
)


@dataclass(frozen=True)
class Watched:
    """The folder that is watched.

    Attributes:
        folder: the folder, as the user named it.
        done_files: whether a picture needs a `.done` file to be complete.
        settle: seconds for which a picture must stay the same.
        only_new: leave out the pictures that are there before the first start.
    """

    folder: Path
    done_files: bool = False
    settle: float = 0.0
    only_new: bool = False

    @property
    def settings(self) -> dict[str, Any]:
        """What a restart must have in common, for the run card."""
        return {WATCH.setting: anchor_of(self.folder)}

    def require_apart(self, out: Path, move_to: Path | None) -> None:
        """Check that results do not arrive in the folder as new pictures.

        Args:
            out: the output folder.
            move_to: where pictures are moved to, if they are.

        Raises:
            UsageError: if the folder is not there, or is in one that the watch writes to.
        """
        if not self.folder.is_dir():
            raise UsageError(f"{self.folder} is not a folder; name the folder to watch.")
        watched = self.folder.resolve()
        for written in (out, *([] if move_to is None else moved_folders(move_to))):
            if watched.is_relative_to(written.resolve()):
                raise UsageError(
                    f"{self.folder} is in {written}, where results are written; watch another "
                    "folder."
                )


@dataclass(frozen=True)
class Control:
    """When things happen.

    Attributes:
        timing: pauses.
        wait: waits for some seconds, or until the watch has to stop, which it returns.
        started: called with the number of pictures that are there at the start.
    """

    timing: Timing
    wait: Callable[[float], bool]
    started: Callable[[int], None] = lambda number: None


def run_watch(
    scorer: Scorer,
    watched: Watched,
    prompt: PromptFunction,
    folder: RunFolder,
    outputs: Outputs,
    pace: Pace,
    actions: Actions,
    control: Control,
) -> tuple[Summary, dict[str, int]]:
    """Inspect pictures as they arrive, until `control.wait` says to stop.

    Args:
        scorer: gives the results.
        watched: where pictures arrive.
        prompt: the name of the object on a picture.
        folder: the claimed output folder, which is closed at the end.
        outputs: files to write there.
        pace: batch size and threads.
        actions: what is done with each picture; deliveries are closed at the end.
        control: when it happens.

    Returns:
        Counts over all rows, those of earlier starts included, and further numbers of this start.

    Raises:
        UsageError: if the folder cannot be written, or its files were changed.
    """
    files = ImageFiles(
        folder.path,
        outputs.heatmaps,
        save_maps=outputs.save_maps,
        anomalous_only=outputs.anomalous_only,
        keep_maps=outputs.keep_maps,
    )
    with folder, ExitStack() as stack:
        for delivery in actions.deliveries:
            stack.enter_context(delivery)
        write_good_scores(folder.path, scorer.good_scores)
        rows = stack.enter_context(Rows(folder.path, outputs.table_format, resume=folder.resumed))
        arrivals = Arrivals(
            watched.folder,
            rows.states,
            exclude=[folder.path, *(moved_folders(actions.move_to) if actions.move_to else ())],
            done_files=watched.done_files,
            settle=watched.settle,
        )
        jobs_of = partial(file_jobs, files=files, regions=outputs.regions)
        inspection = Inspection(scorer, prompt, files, jobs_of, pace)
        watcher = Watcher(inspection, arrivals, rows, actions, control.timing, control.wait)
        control.started(watcher.start(only_new=watched.only_new))
        watcher.run()
        stack.close()
        folder.finish(rows.summary.to_dict(band=scorer.threshold.unsure is not None))
    return rows.summary, watcher.counts()
