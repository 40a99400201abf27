import os
import tracemalloc
from pathlib import Path

import pytest

from moeclip_cli.bounded_text import parse_toml, read_small_text, shortened
from moeclip_cli.errors import UsageError


def test_long_texts_are_shortened_and_others_are_not():
    assert shortened("x" * 80) == "x" * 80
    assert shortened("x" * 1_000_000) == "x" * 77 + "..."
    assert shortened(Path("a") / "b", 3) == str(Path("a") / "b")


def test_text_is_read_with_or_without_a_byte_order_mark(tmp_path):
    (tmp_path / "plain").write_bytes("größer".encode())
    (tmp_path / "marked").write_bytes("größer".encode("utf-8-sig"))
    assert read_small_text(tmp_path / "plain", "profile") == "größer"
    assert read_small_text(tmp_path / "marked", "profile") == "größer"


def test_a_file_above_the_limit_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(bytes(2_000_001))
    with pytest.raises(UsageError, match="Cannot read the profile .*file: it is larger than 2 MB"):
        read_small_text(tmp_path / "file", "profile", limit=2_000_000)
    assert len(read_small_text(tmp_path / "file", "profile")) == 2_000_001


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("missing", "No such file"),
        (".", "Is a directory"),
        ("nul\0", "null"),
        ("x" * 10**5, "long"),
    ],
)
def test_a_path_that_cannot_be_read_is_one_short_sentence(path, reason):
    with pytest.raises(UsageError, match=f"Cannot read the settings .*{reason}") as caught:
        read_small_text(Path(path), "settings")
    assert len(str(caught.value)) < 600


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="requires POSIX")
def test_pipes_sockets_and_devices_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(UsageError, match="pipe, socket or device, not a regular file"):
            read_small_text(path, "settings")


def test_toml():
    assert parse_toml('a.b = 1\r\nname = "a.b"') == {"a": {"b": 1}, "name": "a.b"}
    with pytest.raises(ValueError, match="Invalid value"):
        parse_toml("a = ")


@pytest.mark.parametrize("brackets", ["x = " + "[" * 50_000, "x = " + "{x = " * 50_000])
def test_deep_nesting_is_invalid(brackets):
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_toml(brackets)


@pytest.mark.parametrize("part", ["a.", '"a" . ', '"\u2028".'])
def test_long_dotted_keys_take_no_memory(part):
    tracemalloc.start()
    with pytest.raises(ValueError, match="line 2 has more than 50 dots"):
        parse_toml(f"x = 1\n{part * 50_000}a = 1")
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()
