"""A watch from arriving pictures to rows: nothing is lost or done twice, whenever it is killed."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from support.faults import Faults, file_faults
from support.samples import save_image

from moeclip_cli.errors import UsageError
from moeclip_cli.inspection.profile import Profile
from moeclip_cli.reports.tables.results_table import read_table
from moeclip_cli.runs.image_files import ImageFiles
from moeclip_cli.runs.input_log import INPUTS, read_records
from moeclip_cli.runs.score_run import Outputs, file_jobs
from moeclip_cli.runs.stream import Pace
from moeclip_cli.watch.actions import Actions, moved_folders
from moeclip_cli.watch.arrivals import Arrivals
from moeclip_cli.watch.hook import Hook
from moeclip_cli.watch.rows import Rows
from moeclip_cli.watch.watcher import Inspection, Timing, Watcher

# FAULT_POINTS=0 tries every call.
STEP = 1 if os.environ.get("FAULT_POINTS") == "0" else 4


class KilledError(BaseException):
    """The end of the process."""


class Kills(Faults):
    """The n-th call to the file system is not made, and no later one."""

    def error(self, path):
        return KilledError()


@dataclass
class Line:
    """A watched folder and its output folder.

    Attributes:
        events: what was told about pictures.
        said: sentences for the user.
        at: called with the number of each wait.
    """

    inspector: object
    folder: object
    out: object
    events: list = field(default_factory=list)
    said: list = field(default_factory=list)
    at: dict = field(default_factory=dict)
    waits: int = 0

    def wait(self, seconds):
        self.waits += 1
        return bool(self.at.pop(self.waits, lambda: False)())

    def watch(self, *, move=False, hook=None, only_new=False, overlays="auto", **timing):
        """Run until no picture comes."""
        outputs = Outputs(heatmaps=overlays)
        files = ImageFiles(self.out, overlays, save_maps=False)
        move_to = self.out if move else None
        actions = Actions(self.said.append, self.events.append, move_to, hook)
        rows = Rows(self.out, "csv", resume=True)
        arrivals = Arrivals(self.folder, rows.states, exclude=[self.out, *moved_folders(self.out)])
        jobs_of = partial(file_jobs, files=files, regions=outputs.regions)
        inspection = Inspection(self.inspector, lambda path: "part", files, jobs_of, Pace(2, 1))
        limits = Timing(**{"poll": 0.0, "retry": 0.02, "idle": 0.05, **timing})
        watcher = Watcher(inspection, arrivals, rows, actions, limits, self.wait)
        try:
            watcher.start(only_new=only_new)
            watcher.run()
        finally:
            self.counts = {what: number for what, number in watcher.counts().items() if number}
            rows.close()
        return watcher

    def rows(self):
        return list(read_table(self.out, "csv"))


@pytest.fixture
def line(inspector, folder, tmp_path):
    return Line(inspector, folder, tmp_path / "out")


def test_rows_overlays_and_events(line):
    save_image(line.folder / "a.png", seed=1)
    (line.folder / "sub").mkdir()
    save_image(line.folder / "sub/b.png", seed=2)
    line.watch()
    rows = {row.path: row for row in line.rows()}
    assert rows.keys() == {str(line.folder / "a.png"), str(line.folder / "sub/b.png")}
    assert (line.out / "heatmaps/sub/b.png").exists()
    for event in line.events:
        assert event["score"] == pytest.approx(rows[event["path"]].score)
        assert event["boxes"] is not None
        assert event["moved_to"] is None
    assert len({event["id"] for event in line.events}) == 2
    assert line.said == []


def test_scores_are_those_of_a_scoring_run(line):
    save_image(line.folder / "a.png", seed=1)
    line.watch()
    (expected,) = line.inspector.score([line.folder / "a.png"], prompt="part")
    assert line.rows()[0].score == pytest.approx(expected.score, abs=1e-6)


def test_a_picture_that_came_last_is_inspected_before_the_watch_is_idle(line):
    class Events(list):
        def append(self, event):
            super().append(event)
            if len(self) == 1:
                save_image(line.folder / "b.png", seed=2)

    line.events, line.wait = Events(), lambda seconds: time.sleep(seconds)
    save_image(line.folder / "a.png", seed=1)
    line.watch(poll=0.1, idle=0.0)
    assert [row.path for row in line.rows()] == [str(line.folder / n) for n in ("a.png", "b.png")]


def test_pictures_are_moved_by_their_verdict(line):
    for number in range(4):
        save_image(line.folder / f"{number}.png", seed=number)
    (line.folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    (line.folder / "1.png.done").touch()
    (line.folder / "2.done").touch()
    line.watch(move=True)
    folders = {"anomalous": "bad", "normal": "good", None: "unreadable"}
    assert len(line.events) == 5
    for event in line.events:
        name = event["path"].rpartition("/")[2]
        assert event["moved_to"] == str(line.out / folders[event["verdict"]] / name)
        assert Path(event["moved_to"]).exists()
    assert list(line.folder.iterdir()) == []


def test_a_name_that_comes_again_has_its_own_row_overlay_and_place(line):
    for seed in range(3):
        save_image(line.folder / "current.png", seed=seed)
        line.watch(move=True)
    assert len(line.rows()) == 3
    moved = [event["moved_to"] for event in line.events]
    assert len(set(moved)) == 3
    assert all(Path(path).exists() for path in moved)
    assert len(list((line.out / "heatmaps").iterdir())) == 3


def test_an_overwritten_picture_gets_another_row(line):
    def overwrite():
        save_image(line.folder / "a.png", seed=2, width=70)

    save_image(line.folder / "a.png", seed=1)
    line.at[6] = overwrite
    line.watch(idle=0.3)
    assert [row.width for row in line.rows()] == [64, 70]


def test_a_restart_inspects_new_pictures_only(line):
    save_image(line.folder / "a.png", seed=1)
    line.watch()
    save_image(line.folder / "b.png", seed=2)
    line.watch()
    line.watch()
    assert [row.path.rpartition("/")[2] for row in line.rows()] == ["a.png", "b.png"]
    assert len(line.events) == 2


def test_only_new_pictures_also_after_a_restart(line):
    save_image(line.folder / "old.png", seed=1)
    line.watch(only_new=True)
    save_image(line.folder / "while it was down.png", seed=2)
    line.watch(only_new=True)
    assert [row.path.rpartition("/")[2] for row in line.rows()] == ["while it was down.png"]
    line.watch()
    assert len(line.rows()) == 2


def test_an_unreadable_picture_is_tried_again_before_it_gets_a_row(line):
    whole = line.folder.with_name("whole.png")
    save_image(whole, seed=1)
    half = whole.read_bytes()[:2000]
    (line.folder / "slow.png").write_bytes(half)
    (line.folder / "broken.png").write_bytes(half)
    line.at[12] = lambda: (line.folder / "slow.png").write_bytes(whole.read_bytes()) and None
    line.watch(retry=0.5)
    rows = {row.path.rpartition("/")[2]: row for row in line.rows()}
    assert len(rows) == len(line.rows()) == 2
    assert rows["slow.png"].error is None
    assert rows["broken.png"].error is not None


def test_a_picture_that_vanishes_is_counted(line):
    save_image(line.folder / "a.png", seed=1)
    original = line.inspector.score
    watched = []

    def vanish(images, **options):
        for path in watched:
            path.unlink()
        return original(images, **options)

    watched.append(line.folder / "a.png")
    line.inspector = _Wrapped(line.inspector, vanish)
    line.watch()
    assert line.rows() == []
    assert line.counts["removed before they were inspected"] == 1
    assert line.said == [f"{line.folder / 'a.png'} was removed before it was inspected."]


class _Wrapped:
    def __init__(self, inspector, score):
        self._inspector, self.score = inspector, score

    def __getattr__(self, name):
        return getattr(self._inspector, name)


def test_a_failing_hook_is_said_and_counted(line):
    save_image(line.folder / "a.png", seed=1)
    line.watch(hook=Hook(f"{sys.executable} -c 'raise SystemExit(3)'", 30))
    assert line.counts["failed hooks"] == 1
    assert line.said == [f"{line.folder / 'a.png'}: the hook ended with code 3."]
    assert len(line.rows()) == 1


def test_a_stop_finishes_the_batch_in_hand(line):
    for number in range(6):
        save_image(line.folder / f"{number}.png", seed=number)
    stopping = []
    for number in range(1, 100):
        line.at[number] = lambda: bool(line.events) or stopping
    line.watch(idle=None)
    assert len(line.rows()) == len(line.events) == 2
    assert line.counts["waiting"] == 4


@pytest.mark.parametrize("move", [False, True])
def test_killed_at_any_call_and_started_again(inspector, tmp_path, move):
    """Calls for a file in the watched folder or the output are the last one, in turn."""
    calls = None
    at = 1 + move
    while calls is None or at < calls:
        at += STEP
        place = tmp_path / f"{move}{at}"
        line = Line(inspector, place / "in", place / "out")
        line.folder.mkdir(parents=True)
        for number in range(2):
            save_image(line.folder / f"{number}.png", seed=number, width=16, height=16)
        with file_faults(Kills(place, at, lasting=True)) as kills:
            try:
                line.watch(move=move)
            except KilledError:
                pass
            else:
                calls = kills.calls
        line.watch(move=move)
        _require_each_once(line, move)
        shutil.rmtree(place)
    assert calls > 20


def _require_each_once(line, move):
    names = ["0.png", "1.png"]
    rows = line.rows()
    assert sorted(row.path.rpartition("/")[2] for row in rows) == names
    assert [row.error for row in rows] == [None, None]
    records = list(read_records(line.out / INPUTS))
    assert [record.path for record in records] == [row.path for row in rows]
    told = {json.dumps(event["path"]): event["id"] for event in line.events}
    assert len(told) == 2
    assert len({event["id"] for event in line.events}) == 2
    assert not (line.out / "in-hand.json").exists()
    moved = [path for folder in moved_folders(line.out) for path in folder.glob("*")]
    found = moved if move else list(line.folder.iterdir())
    assert sorted(path.name for path in found) == names
    assert all(path.stat().st_size for path in found)
    assert sorted(path.name for path in (line.out / "heatmaps").glob("*.png")) == names


def test_a_changed_table_is_refused(line):
    save_image(line.folder / "a.png", seed=1)
    line.watch()
    table = line.out / "results.csv"
    table.write_bytes(table.read_bytes() + table.read_bytes().splitlines(keepends=True)[1])
    with pytest.raises(UsageError, match=r"2 rows, but .* 1 records"):
        line.watch()


def test_a_table_of_an_earlier_version_is_kept(line):
    line.out.mkdir()
    table = line.out / "results.csv"
    table.write_text("path,score,verdict,threshold\r\na.png,0.5,normal,0.6\r\n")
    with pytest.raises(UsageError, match="earlier version"):
        line.watch()
    assert "a.png" in table.read_text()


def test_a_drift_is_said(line, standin):
    from moeclip_cli import Inspector

    settings = line.inspector.settings
    scores = tuple(0.0001 * number for number in range(20))
    profile = Profile(0.999, 0.05, 20, "part", settings, scores=scores)
    line.inspector = Inspector.load(
        str(standin.model), backbone_weights=standin.backbone, image_size=70, device="cpu",
        profile=profile,
    )  # fmt: skip
    for number in range(52):
        save_image(line.folder / f"{number}.png", seed=number, width=16, height=16)
    line.watch(overlays=None)
    normal = sum(row.verdict == "normal" for row in line.rows())
    assert line.counts["inspected during a drift"] == normal - 49
    assert [sentence for sentence in line.said if "score higher than the good parts" in sentence]
