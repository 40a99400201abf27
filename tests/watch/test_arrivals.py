"""Pictures in a folder: each once, when it is complete, at a bounded cost."""

from __future__ import annotations

import os
import time

import pytest

from moeclip_cli.watch import listing
from moeclip_cli.watch.arrivals import Arrivals
from moeclip_cli.watch.picture import state_key
from moeclip_cli.watch.seen import Seen


@pytest.fixture
def arrivals(folder):
    return Arrivals(folder, Seen(), exclude=[folder / "bad"])


def names(arrivals, polls=1):
    """The names of the pictures that some polls yield."""
    return [picture.name for _ in range(polls) for picture in arrivals.poll()]


def write(path, content=b"x", *, age=0.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    moment = time.time() - age
    os.utime(path, (moment, moment))
    return path


def test_a_picture_comes_once_with_the_second_poll(folder, arrivals):
    write(folder / "a.png")
    assert names(arrivals) == []
    assert names(arrivals) == ["a.png"]
    assert names(arrivals, 5) == []


def test_pictures_come_oldest_first_from_subfolders_too(folder, arrivals):
    write(folder / "new.png", age=1)
    write(folder / "a/b/old.jpg", age=100)
    write(folder / "note.txt")
    assert names(arrivals, 2) == ["a/b/old.jpg", "new.png"]
    write(folder / "a/c/later.png")
    assert names(arrivals, 2) == ["a/c/later.png"]


def test_a_growing_file_is_not_complete(folder, arrivals):
    path = write(folder / "a.png")
    for size in range(2, 6):
        assert names(arrivals) == []
        write(path, size * b"x", age=10)
    assert names(arrivals, 3) == ["a.png"]


def test_a_file_must_rest_for_the_time_to_settle(folder):
    arrivals = Arrivals(folder, Seen(), settle=0.3)
    write(folder / "a.png")
    assert names(arrivals, 3) == []
    time.sleep(0.35)
    assert names(arrivals) == ["a.png"]


def test_a_renamed_file_is_a_new_one_and_temporary_names_are_left_alone(folder, arrivals):
    temporary = write(folder / "a.png.part")
    write(folder / ".a.png")
    write(folder / ".hidden/b.png")
    write(folder / "._a.png")
    assert names(arrivals, 3) == []
    temporary.rename(folder / "a.png")
    assert names(arrivals, 2) == ["a.png"]


@pytest.mark.parametrize("done", ["a.png.done", "a.done"])
def test_a_picture_waits_for_its_done_file(folder, done):
    arrivals = Arrivals(folder, Seen(), done_files=True)
    write(folder / "a.png")
    write(folder / "b.png")
    assert names(arrivals, 3) == []
    write(folder / done, b"")
    assert names(arrivals, 2) == ["a.png"]
    assert arrivals.incomplete == 1


def test_an_overwritten_file_is_another_picture(folder, arrivals):
    path = write(folder / "a.png", age=10)
    assert names(arrivals, 3) == ["a.png"]
    write(path, b"other")
    assert names(arrivals, 4) == ["a.png"]
    assert names(arrivals, 4) == []


def test_a_picture_that_was_seen_does_not_come_again_after_a_share_was_away(folder):
    seen = Seen()
    arrivals = Arrivals(folder, seen)
    write(folder / "a.png")
    (picture,) = [*arrivals.poll(), *arrivals.poll()]
    seen.add(state_key(picture.name, picture.size, picture.modified_ns))
    away = folder.with_name("away")
    folder.rename(away)
    assert names(arrivals) == []
    assert "in: No such file" in arrivals.error
    folder.mkdir()
    assert names(arrivals, 2) == []
    folder.rmdir()
    away.rename(folder)
    assert names(arrivals, 4) == []
    assert arrivals.error is None


@pytest.mark.parametrize("complete", [False, True])
def test_a_picture_that_was_not_inspected_comes_again_after_a_share_was_away(folder, complete):
    arrivals = Arrivals(folder, Seen())
    write(folder / "a.png")
    assert names(arrivals, 1 + complete) == ["a.png"] * complete
    away = folder.with_name("away")
    folder.rename(away)
    if complete:
        arrivals.forget("a.png")
    assert names(arrivals) == []
    away.rename(folder)
    assert names(arrivals, 3) == ["a.png"]


def test_results_and_excluded_folders_are_left_out(folder, arrivals):
    write(folder / "out/.moeclip-out")
    write(folder / "out/heatmaps/a.png")
    write(folder / "bad/b.png")
    write(folder / "c.png")
    assert names(arrivals, 3) == ["c.png"]


def test_links_in_a_circle(folder, arrivals):
    write(folder / "sub/a.png")
    (folder / "sub/up").symlink_to(folder)
    (folder / "loop.png").symlink_to("loop.png")
    assert names(arrivals, 3) == ["sub/a.png"]


def test_a_postponed_picture_comes_again(folder, arrivals):
    write(folder / "a.png")
    (picture,) = [*arrivals.poll(), *arrivals.poll()]
    arrivals.postpone(picture, 0.2)
    assert names(arrivals, 3) == []
    time.sleep(0.25)
    assert arrivals.poll() == [picture]


def test_pictures_that_are_left_out_come_only_if_they_change(folder):
    seen = Seen()
    arrivals = Arrivals(folder, seen)
    path = write(folder / "a.png", age=10)
    arrivals.poll()
    (left_out,) = arrivals.leave_out()
    seen.add(state_key(left_out.name, left_out.size, left_out.modified_ns))
    assert names(arrivals, 4) == []
    write(path, b"more")
    assert names(arrivals, 4) == ["a.png"]


def test_a_folder_without_changes_is_neither_listed_nor_are_all_its_files_looked_at(
    folder, monkeypatch
):
    for number in range(500):
        (folder / f"{number}.png").touch()
    arrivals = Arrivals(folder, Seen())
    assert len(names(arrivals, 2)) == 500
    monkeypatch.setattr(listing, "_RESOLUTION_SECONDS", 0.0)
    monkeypatch.setattr("moeclip_cli.watch.arrivals._CHECK_SECONDS", 0.0)
    calls = []
    monkeypatch.setattr(os, "scandir", lambda path: calls.append(path))
    monkeypatch.setattr("moeclip_cli.watch.arrivals.size_and_time", lambda path: calls.append(path))
    for _ in range(10):
        arrivals.poll()
    assert len(calls) <= 10


def test_memory_of_what_was_seen_is_small_and_exact():
    many = [f"part {number}.png" for number in range(20_000)]
    seen = Seen(many[:10])
    for text in many[10:]:
        seen.add(text)
    assert all(text in seen for text in many[::20])
    assert not any(f"{text}x" in seen for text in many[::20])
    assert len(seen) == len(many)
