from __future__ import annotations

from pathlib import Path

from moeclip_cli.cli.work import Work
from moeclip_cli.discovery.inputs import ImageRef


def test_with_tiles_large_files_are_more_work(tmp_path):
    refs = [ImageRef(tmp_path / name, name) for name in ("large.png", "small.png", "gone.png")]
    (tmp_path / "large.png").write_bytes(bytes(900))
    (tmp_path / "small.png").write_bytes(bytes(100))
    work = Work.of_run(refs, {"tile": 600})
    assert work.total == 1001
    assert [work.of(str(ref.path)) for ref in refs] == [900, 100, 1]


def test_without_tiles_every_image_counts_as_one():
    work = Work.of_run([ImageRef(Path("a.png"), "a.png")], {"tile": None})
    assert (work.total, work.of("a.png")) == (None, 1)
