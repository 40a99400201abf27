import os
import sys

import pytest

from moeclip_cli.images.disk_list import DiskList


def test_gives_back_what_was_stored_every_time():
    names = ["a.png", "b c\nd.png", "деталь.png", "", "x" * 300]
    stored = DiskList(iter(names))
    assert list(stored) == names
    assert list(stored) == names


def test_more_than_is_read_at_a_time():
    names = [f"folder/{number:06}.png" for number in range(20_000)]
    assert list(DiskList(names)) == names


def test_iterations_do_not_disturb_each_other():
    names = [str(number) for number in range(30_000)]
    stored = DiskList(names)
    assert list(zip(stored, stored, strict=True)) == [(name, name) for name in names]


def test_nothing():
    assert list(DiskList([])) == []


@pytest.mark.skipif(sys.platform == "win32", reason="on Windows names are always text")
def test_names_that_are_not_valid_text():
    name = os.fsdecode(b"caf\xe9.png")
    assert list(DiskList([name])) == [name]
