from __future__ import annotations

import threading
from pathlib import Path

import pytest
from support.samples import save_image

from moeclip_cli.discovery.inputs import ImageRef
from moeclip_cli.errors import ImageError, UsageError
from moeclip_cli.runs.stream import Pace, results_with_files


@pytest.fixture
def refs(tmp_path):
    paths = [tmp_path / f"{i}.png" for i in range(12)]
    for i, path in enumerate(paths):
        save_image(path, seed=i)
    paths[3].write_bytes(b"")
    return [ImageRef(path, path.name) for path in paths]


def run(inspector, refs, jobs, batch_size=2, workers=2):
    pace = Pace(batch_size, workers)
    return results_with_files(inspector, refs, lambda path: "bolt", lambda scorer: jobs, pace)


def test_a_result_is_yielded_after_its_files_are_written(inspector, refs, tmp_path):
    def write(ref, result):
        (tmp_path / f"{ref.name}.txt").write_text(str(result.score))

    seen = []
    for ref, result in run(inspector, refs, [write]):
        seen.append(ref)
        written = Path(tmp_path / f"{ref.name}.txt")
        assert written.exists() is (result.error is None)
    assert seen == refs


def test_waiting_results_are_bounded(inspector, refs):
    release, started = threading.Event(), []

    def slow(ref, result):
        started.append(ref)
        release.wait(30)

    results = run(inspector, refs, [slow], batch_size=1, workers=4)
    thread = threading.Thread(target=next, args=(results,))
    thread.start()
    thread.join(2)
    assert thread.is_alive()
    assert len(started) <= 2
    release.set()
    thread.join()
    assert len(list(results)) == len(refs) - 1


def test_an_image_deleted_meanwhile_is_an_error_of_that_image(inspector, refs):
    def fail(ref, result):
        if ref.name == "5.png":
            raise ImageError("The file is gone.")

    errors = {ref.name: result.error for ref, result in run(inspector, refs, [fail])}
    assert errors["5.png"] == "The file is gone."
    assert [name for name, error in errors.items() if error] == ["3.png", "5.png"]


def test_a_full_disk_ends_the_run(inspector, refs):
    def fail(ref, result):
        raise UsageError("the disk is full")

    with pytest.raises(UsageError, match="disk is full"):
        list(run(inspector, refs, [fail]))
