"""A resumed run ends like one that was never interrupted, byte for byte."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from support.samples import save_image

from moeclip_cli.discovery.source import find_images
from moeclip_cli.errors import UsageError
from moeclip_cli.files import AppendedFile
from moeclip_cli.reports.tables.results_table import table_path
from moeclip_cli.runs.folder import RunFolder
from moeclip_cli.runs.input_log import INPUTS
from moeclip_cli.runs.kinds import SCORE
from moeclip_cli.runs.score_run import Outputs, run_score, score_settings
from moeclip_cli.runs.stream import Pace

PACE = Pace(4, 1)


@pytest.fixture
def score(inspector):
    """Run with these inputs: score("out", "images") -> summary, scored paths, remarks."""

    def run(out, *inputs, outputs=None, stop_after=None, **options):
        outputs = outputs or Outputs()
        refs = find_images([str(path) for path in inputs], exclude=Path(out))
        settings = score_settings(inspector, outputs, prompt="bolt", prompt_rules=None)
        folder = RunFolder.claim(Path(out), SCORE, settings, {}, **options)
        scored, remarks = [], []

        def observe(result):
            scored.append(Path(result.path).name)
            if len(scored) == stop_after:
                raise KeyboardInterrupt

        summary = run_score(
            inspector, refs, lambda path: "bolt", folder, outputs, PACE, observe, remarks.append
        )
        return summary, scored, remarks

    return run


def assert_like_undisturbed(score, out, *inputs, table_format="csv", heatmaps=None):
    """The table in `out` equals that of a new run, and so do the pictures."""
    outputs = Outputs(table_format, heatmaps)
    score("undisturbed", *inputs, outputs=outputs, overwrite=True)
    expected, found = (table_path(Path(one), table_format) for one in ("undisturbed", out))
    assert found.read_bytes() == expected.read_bytes()
    logs = [(Path(one) / INPUTS).read_bytes() for one in ("undisturbed", out)]
    assert logs[0] == logs[1]
    pictures = [
        {
            path.relative_to(one).as_posix(): path.read_bytes()
            for path in (Path(one) / "heatmaps").rglob("*")
            if path.is_file()
        }
        for one in ("undisturbed", out)
    ]
    assert pictures[0] == pictures[1]


@pytest.mark.parametrize("table_format", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("rows", [1, 4, 6, 9])
def test_an_interrupted_run_is_continued(score, images, rows, table_format):
    outputs = Outputs(table_format, "png")
    with pytest.raises(KeyboardInterrupt):
        score("out", images, outputs=outputs, stop_after=rows)
    _, scored, _ = score("out", images, outputs=outputs, resume=True)
    assert len(scored) == 10 - rows // 4 * 4
    assert_like_undisturbed(score, "out", images, table_format=table_format, heatmaps="png")


@pytest.mark.parametrize("table_format", ["csv", "jsonl"])
def test_rows_of_an_earlier_version_are_scored_again(score, images, table_format):
    outputs = Outputs(table_format, "png")
    score("out", images, outputs=outputs)
    path = table_path(Path("out"), table_format)
    if table_format == "csv":
        rows = [line.split(",") for line in path.read_text("utf-8").splitlines()]
        peak = rows[0].index("peak")
        earlier = [",".join(row[:peak] + row[peak + 5 :]) + "\r\n" for row in rows]
    else:
        rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        earlier = [
            json.dumps({name: value for name, value in row.items() if "peak" not in name}) + "\n"
            for row in rows
        ]
    path.write_text("".join(earlier), "utf-8", newline="")
    _, scored, remarks = score("out", images, outputs=outputs, resume=True)
    assert len(scored) == 10
    assert remarks == [
        f"{path} is of an earlier version of moeclip and lacks columns; its images will be scored "
        "again."
    ]
    assert_like_undisturbed(score, "out", images, table_format=table_format, heatmaps="png")


def test_a_finished_run_has_nothing_to_score(score, images):
    score("out", images)
    summary, scored, remarks = score("out", images, resume=True)
    assert (summary.images, summary.failed, scored, remarks) == (10, 1, [], [])


@pytest.mark.parametrize("table_format", ["csv", "jsonl", "parquet"])
def test_a_replaced_image_is_scored_again_in_its_place(score, images, table_format):
    outputs = Outputs(table_format, "png")
    score("out", images, outputs=outputs)
    shutil.copy(images / "9.png", images / "1.png")
    _, scored, remarks = score("out", images, outputs=outputs, resume=True)
    assert scored == ["0.png", "1.png", "2.png", "3.png"]
    assert remarks == ["4 images of the earlier run will be scored again."]
    assert_like_undisturbed(score, "out", images, table_format=table_format, heatmaps="png")


def test_an_image_of_equal_size_and_another_time_is_scored_again(score, images):
    score("out", images)
    earlier = (images / "1.png").stat()
    os.utime(images / "1.png", ns=(earlier.st_atime_ns, earlier.st_mtime_ns + 1))
    _, scored, _ = score("out", images, resume=True)
    assert "1.png" in scored


def test_images_that_were_not_found_are_tried_again(score, images):
    hidden = images.with_name("unmounted")
    listed = [str(images / f"{number}.png") for number in (0, 1, 2, 3, 5)]
    Path("list").mkdir()
    images.rename(hidden)
    with pytest.raises(UsageError):
        score("out", *listed)
    for path in listed:  # links that lead nowhere, as on a share that is not mounted
        Path("list", Path(path).name).symlink_to(path)
    summary, _, _ = score("out", "list")
    assert summary.failed == 5
    summary, scored, _ = score("out", "list", resume=True)
    assert (summary.failed, len(scored)) == (5, 5)
    hidden.rename(images)
    summary, scored, _ = score("out", "list", resume=True)
    assert (summary.failed, len(scored)) == (0, 5)
    assert_like_undisturbed(score, "out", "list")


def test_a_file_that_was_half_copied_is_scored_again(score, images):
    whole = (images / "2.png").read_bytes()
    (images / "2.png").write_bytes(whole[: len(whole) // 2])
    assert score("out", images)[0].failed == 2
    (images / "2.png").write_bytes(whole)
    assert score("out", images, resume=True)[0].failed == 1
    assert_like_undisturbed(score, "out", images)


@pytest.mark.parametrize("name", ["00.png", "35.png", "99.png"])
def test_added_images_get_their_place(score, images, name):
    score("out", images, outputs=Outputs(heatmaps="png"))
    save_image(images / name, seed=77)
    score("out", images, outputs=Outputs(heatmaps="png"), resume=True)
    assert_like_undisturbed(score, "out", images, heatmaps="png")


def test_rows_and_pictures_of_removed_images_are_removed(score, images):
    score("out", images, outputs=Outputs(heatmaps="png"))
    (images / "8.png").unlink()
    _, _, remarks = score("out", images, outputs=Outputs(heatmaps="png"), resume=True)
    assert "1 row of images that are not inputs of this run was removed." in remarks[0]
    assert_like_undisturbed(score, "out", images, heatmaps="png")


def test_images_without_their_pictures_are_scored_again(score, images):
    score("out", images, outputs=Outputs(heatmaps="png", save_maps=True))
    next(Path("out", "maps").glob("6*")).unlink()
    shutil.rmtree(Path("out", "heatmaps"))
    score("out", images, outputs=Outputs(heatmaps="png", save_maps=True), resume=True)
    assert len(list(Path("out", "maps").iterdir())) == 9
    assert_like_undisturbed(score, "out", images, heatmaps="png")


def test_a_resumed_run_that_is_interrupted_is_resumed(score, images):
    score("out", images)
    for number in (0, 9):
        shutil.copy(images / "5.png", images / f"{number}.png")
    with pytest.raises(KeyboardInterrupt):
        score("out", images, stop_after=5, resume=True)
    paths = [line.split(b",")[0] for line in Path("out", "results.csv").read_bytes().splitlines()]
    assert len(paths) == len(set(paths))
    score("out", images, resume=True)
    assert_like_undisturbed(score, "out", images)


def test_another_order_of_inputs_reorders_the_rows(score, images):
    save_image(Path("other.png"), seed=50)
    score("out", images, "other.png")
    score("out", "other.png", images, resume=True)
    assert_like_undisturbed(score, "out", "other.png", images)


def test_repeated_lines_of_a_list_keep_their_rows(inspector, score, images):
    from moeclip_cli.discovery.inputs import ImageRef

    refs = [ImageRef(images / f"{n}.png", f"{n}.png") for n in (0, 1, 0, 2, 3, 0, 1, 0, 0)]
    settings = score_settings(inspector, Outputs(), prompt="bolt", prompt_rules=None)
    scored = []
    for resume in (False, True):
        folder = RunFolder.claim(Path("out"), SCORE, settings, {}, resume=resume)
        run_score(inspector, refs, lambda path: "bolt", folder, Outputs(), PACE, scored.append)
    assert len(scored) == len(refs)
    assert Path("out", "results.csv").read_bytes().count(b"\r\n") == 1 + len(refs)


def test_a_folder_without_a_log_of_inputs_is_scored_again(score, images):
    score("out", images)
    Path("out", "inputs.jsonl").unlink()
    _, scored, remarks = score("out", images, resume=True)
    assert (len(scored), remarks) == (10, ["10 images of the earlier run will be scored again."])
    assert_like_undisturbed(score, "out", images)


def test_a_torn_end_of_the_log_costs_one_batch(score, images):
    score("out", images)
    log = Path("out", "inputs.jsonl")
    log.write_bytes(log.read_bytes()[:-5])
    _, scored, _ = score("out", images, resume=True)
    assert scored == ["8.png", "9.png"]
    assert_like_undisturbed(score, "out", images)


def test_a_table_that_excel_saved_is_refused(score, images):
    score("out", images)
    table = Path("out", "results.csv")
    saved = b"\xef\xbb\xbf" + table.read_bytes().replace(b",", b";")
    table.write_bytes(saved)
    with pytest.raises(UsageError, match="is not a results table .*`overwrite`"):
        score("out", images, resume=True)
    assert table.read_bytes() == saved


def test_a_damaged_run_card_is_named(score, images):
    score("out", images)
    for damage in (lambda card: card.write_bytes(b""), lambda card: card.unlink()):
        damage(Path("out", "run.json"))
        with pytest.raises(UsageError, match=r"run\.json is missing or damaged.*`overwrite`"):
            score("out", images, resume=True)
    score("out", images, overwrite=True)


@pytest.mark.parametrize("victim", ["results.csv", "inputs.jsonl", "."])
def test_output_that_is_removed_during_the_run_is_an_error(score, images, victim, monkeypatch):
    def observe_and_remove(self, data):
        append(self, data)
        if self.path.name == "results.csv" and b"5.png" in data:
            path = Path("out", victim)
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    append = AppendedFile.append
    monkeypatch.setattr(AppendedFile, "append", observe_and_remove)
    with pytest.raises(UsageError, match="removed or replaced during the run"):
        score("out", images)


def test_pictures_that_are_removed_during_the_run_are_an_error_and_resumable(
    score, images, monkeypatch
):
    def observe_and_remove(self, data):
        append(self, data)
        if self.path.name == "results.csv" and b"5.png" in data:
            shutil.rmtree(Path("out", "heatmaps"))

    append = AppendedFile.append
    with monkeypatch.context() as patch:
        patch.setattr(AppendedFile, "append", observe_and_remove)
        with pytest.raises(UsageError, match=r"pictures or maps, such as .*`resume`"):
            score("out", images, outputs=Outputs(heatmaps="png"))
    score("out", images, outputs=Outputs(heatmaps="png"), resume=True)
    assert_like_undisturbed(score, "out", images, heatmaps="png")
