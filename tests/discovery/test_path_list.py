import io
import os
import sys

import pytest

from moeclip_cli.discovery.path_list import read_path_list
from moeclip_cli.errors import UsageError


def test_one_path_per_line():
    stream = io.StringIO("a.png\nfolder/b c.png\r\n\n   \n last line.png")
    assert list(read_path_list(stream)) == ["a.png", "folder/b c.png", " last line.png"]


def test_byte_order_mark_of_windows_programs():
    stream = io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbfa.png\r\nb.png\r\n"), encoding="ascii")
    assert list(read_path_list(stream)) == ["a.png", "b.png"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows file names are always valid text")
def test_names_that_are_not_valid_utf_8():
    stream = io.TextIOWrapper(io.BytesIO(b"caf\xe9.png\n"), encoding="utf-8")
    assert list(read_path_list(stream)) == [os.fsdecode(b"caf\xe9.png")]


def test_nul_separated_paths_are_rejected():
    with pytest.raises(UsageError, match="-print instead of -print0"):
        read_path_list(io.StringIO("a.png\0b.png\0"))


def test_empty_stream():
    assert list(read_path_list(io.StringIO(""))) == []
