import os
import socket
import sys

import pytest

from moeclip_cli.errors import ImageError
from moeclip_cli.images.image_file import FORMATS, identify_format, open_image_file


def error_for(path):
    with pytest.raises(ImageError) as caught, open_image_file(path):
        pass
    return str(caught.value)


def test_file_is_opened_and_closed(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    with open_image_file(tmp_path / "a") as stream:
        assert stream.read() == b"abc"
    assert stream.closed


def test_missing_file(tmp_path):
    assert "was not found; check the path" in error_for(tmp_path / "a")


def test_file_below_a_file(tmp_path):
    (tmp_path / "a").touch()
    assert "part of its path is a file" in error_for(tmp_path / "a" / "b")


def test_folder(tmp_path):
    assert "is a folder" in error_for(tmp_path)


def test_file_without_permission(public_folder, without_rights):
    path = public_folder / "a.png"
    path.touch(mode=0)
    with without_rights():
        message = error_for(path)
    assert "is denied" in message


def test_file_in_a_folder_without_permission(public_folder, without_rights):
    locked = public_folder / "locked"
    locked.mkdir()
    (locked / "a.png").touch()
    locked.chmod(0)
    with without_rights():
        message = error_for(locked / "a.png")
    assert "is denied" in message


def test_broken_link(tmp_path):
    (tmp_path / "a.png").symlink_to("gone.png")
    assert error_for(tmp_path / "a.png") == "This is a link to gone.png, which does not exist."


def test_circular_link(tmp_path):
    (tmp_path / "a.png").symlink_to("a.png")
    assert "circular link" in error_for(tmp_path / "a.png")


def test_overlong_name(tmp_path):
    assert "too long" in error_for(tmp_path / ("x" * 300 + ".png"))


def test_null_character(tmp_path):
    assert "a character that is invalid in file names" in error_for(tmp_path / "a\0.png")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not have these file types")
def test_pipe_is_rejected_without_blocking(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    assert "pipe, socket or device" in error_for(tmp_path / "a.png")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not have these file types")
def test_socket(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the path of a socket has a length limit
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("a.png")
        assert "pipe, socket or device" in error_for(tmp_path / "a.png")


def identified(tmp_path, data):
    (tmp_path / "a").write_bytes(data)
    with open_image_file(tmp_path / "a") as stream:
        image_format = identify_format(stream)
        assert stream.tell() == 0
        return image_format


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"\xff\xd8\xff\xe1", "JPEG"),
        (b"BM\0\0", "BMP"),
        (b"II*\0", "TIFF"),
        (b"MM\0*", "TIFF"),
        (b"II+\0", "TIFF"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "WebP"),
        (b"GIF87a", "GIF"),
        (b"P6 1 1 255\n", "PGM/PPM"),
        (b"\0\0\0\x18ftypheic", "HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x1cftypavif", "AVIF"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avif", "AVIF"),
    ],
)
def test_formats_are_identified_by_content(tmp_path, start, expected):
    assert identified(tmp_path, start + b"rest") == expected
    assert expected in FORMATS


def test_empty_file(tmp_path):
    with pytest.raises(ImageError, match="empty"):
        identified(tmp_path, b"")


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\0\0\0\x0cjP  \r\n", "a JPEG 2000 image"),
        (b"%PDF-1.7", "a PDF document"),
    ],
)
def test_unsupported_formats_are_named(tmp_path, data, name):
    with pytest.raises(ImageError, match=f"This is {name}, .* convert it to PNG or TIFF"):
        identified(tmp_path, data)


@pytest.mark.parametrize(
    "data", [b"\x1aE\xdf\xa3webm", b"\0\0\0\x18ftypisom", b"RIFF\0\0\0\0AVI LIST"]
)
def test_videos_are_known(tmp_path, data):
    assert identified(tmp_path, data) == "video"


@pytest.mark.parametrize(("name", "kind"), [("a.mts", "video"), ("a.DCM", "DICOM")])
def test_readable_kinds_may_be_known_by_their_extension(tmp_path, name, kind):
    (tmp_path / name).write_bytes(b"\x47\x40\x11\x10")
    with open_image_file(tmp_path / name) as stream:
        assert identify_format(stream) == kind


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.nef", "a raw photo"),
        ("a.tga", "a Targa"),
    ],
)
def test_a_file_without_a_known_signature_is_named_by_its_extension(tmp_path, name, kind):
    (tmp_path / name).write_bytes(b"\x47\x40\x11\x10")
    with (
        open_image_file(tmp_path / name) as stream,
        pytest.raises(ImageError, match=f"This is {kind}"),
    ):
        identify_format(stream)


def test_text_file(tmp_path):
    with pytest.raises(ImageError, match="not an image in a supported format"):
        identified(tmp_path, b"Hello")
