from __future__ import annotations

import shutil

import numpy as np
import pytest
from support.review import GrowingRun

from moeclip_cli.errors import ImageError, UsageError
from moeclip_cli.files import replacing
from moeclip_cli.review.results import LiveResults
from moeclip_cli.review.whereabouts import whereabouts
from moeclip_cli.runs.lock import WriterLock


def shown(results):
    return [(image.number, image.row.path, image.row.verdict) for image in results.images()]


@pytest.mark.parametrize("table", ["csv", "csv-excel-de", "jsonl", "parquet"])
def test_rows_appear_while_the_run_goes_on(tmp_path, table):
    if table == "parquet":
        pytest.importorskip("pyarrow")
    run = GrowingRun(tmp_path / "out", table)
    run.add(("1.png", 0.9))
    with WriterLock.of_folder(run.folder):
        results = LiveResults(run.folder)
        assert results.state == "running"
    run.add(("2.png", 0.1), ("3.png", None))
    results.refresh()
    expected = [(0, "1.png", "anomalous"), (1, "2.png", "normal"), (2, "3.png", None)]
    assert shown(results) == expected
    assert results.image(1).record.path == "2.png"
    assert results.image(3) is None
    run.finish()
    results.refresh()
    assert results.state == "finished"
    assert shown(results) == shown(LiveResults(run.folder)) == expected
    before = results.epoch
    results.refresh()
    assert results.epoch == before


def test_a_row_that_is_half_written_is_not_shown_yet(growing):
    results = LiveResults(growing.folder)
    epoch, table = results.epoch, growing.table.path
    whole = table.read_bytes()
    line = whole.splitlines(keepends=True)[1].replace(b"a/1.png", b"c/5.png")
    with table.open("ab") as stream:
        stream.write(line[:20])
        stream.flush()
        results.refresh()
        assert len(results.images()) == 4
        stream.write(line[20:])
    results.refresh()
    assert [path for _, path, _ in shown(results)][4:] == ["c/5.png"]
    assert results.epoch == epoch


def test_an_image_keeps_its_number_when_a_resumed_run_sorts_the_rows(growing):
    results = LiveResults(growing.folder)
    epoch = results.epoch
    growing.table.keep(np.array([2, 0, 1]))
    results.refresh()
    assert shown(results) == [
        (2, "b/3.png", "anomalous"), (0, "a/1.png", "anomalous"), (1, "a/2.png", "normal"),
    ]  # fmt: skip
    assert results.epoch > epoch
    assert results.image(3) is None


def test_a_damaged_or_removed_folder_is_one_sentence(growing):
    results = LiveResults(growing.folder)
    with replacing(growing.table.path) as stream:
        stream.write(growing.table.header + b"nonsense\r\n")
    with pytest.raises(UsageError, match="is damaged or of another version"):
        results.refresh()
    (growing.folder / "run.json").unlink()
    with pytest.raises(UsageError, match=r"run\.json is missing"):
        results.refresh()


def test_each_row_of_a_file_that_was_replaced_is_an_image_of_its_own(tmp_path):
    run = GrowingRun(tmp_path / "out")
    run.add(("latest.png", 0.9))
    (tmp_path / "latest.png").unlink()
    run.add(("first.png", 0.1))
    shutil.move(tmp_path / "first.png", tmp_path / "latest.png")
    run.add(("latest.png", 0.2))
    results = LiveResults(run.folder)
    assert [path for _, path, _ in shown(results)] == ["latest.png", "first.png", "latest.png"]
    first, _, latest = results.images()
    with pytest.raises(ImageError, match=r"latest\.png is missing or has changed"):
        whereabouts(results.run, first.record)
    assert whereabouts(results.run, latest.record) == tmp_path / "latest.png"


def test_a_picture_that_a_watch_has_moved_is_found(tmp_path):
    run = GrowingRun(tmp_path / "out", moved_to="sorted")
    run.add(("in/1.png", 0.9), ("in/2.png", 0.1))
    for source, target in (
        ("in/1.png", "sorted/bad/in/1.png"),
        ("in/2.png", "sorted/good/in/2.png"),
    ):
        (tmp_path / target).parent.mkdir(parents=True)
        shutil.move(tmp_path / source, tmp_path / target)
    (tmp_path / "sorted/good/in/2.png").write_bytes(b"another one")
    results = LiveResults(run.folder)
    bad, good = results.images()
    assert whereabouts(results.run, bad.record) == tmp_path / "sorted/bad/in/1.png"
    with pytest.raises(ImageError, match="missing or has changed"):
        whereabouts(results.run, good.record)
