import io
import os
import sys

import pytest

from moeclip_cli.errors import UsageError
from moeclip_cli.images.path_list import read_path_list


def test_one_path_a_line():
    stream = io.StringIO("a.png\nfolder/b c.png\r\n\n   \n last line.png")
    assert list(read_path_list(stream)) == ["a.png", "folder/b c.png", " last line.png"]


def test_the_mark_of_windows_programs():
    stream = io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbfa.png\r\nb.png\r\n"), encoding="ascii")
    assert list(read_path_list(stream)) == ["a.png", "b.png"]


@pytest.mark.skipif(sys.platform == "win32", reason="on Windows names are always text")
def test_names_that_are_not_valid_text():
    stream = io.TextIOWrapper(io.BytesIO(b"caf\xe9.png\n"), encoding="utf-8")
    assert list(read_path_list(stream)) == [os.fsdecode(b"caf\xe9.png")]


def test_nul_characters():
    with pytest.raises(UsageError, match="-print instead of -print0"):
        read_path_list(io.StringIO("a.png\0b.png\0"))


def test_empty():
    assert list(read_path_list(io.StringIO(""))) == []
