import os
import socket
import sys

import pytest

from moeclip_cli.errors import ImageError
from moeclip_cli.images.files import FORMATS, identify, open_image_file


def refusal(path):
    with pytest.raises(ImageError) as caught, open_image_file(path):
        pass
    return str(caught.value)


def test_opens_a_file(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    with open_image_file(tmp_path / "a") as stream:
        assert stream.read() == b"abc"
    assert stream.closed


def test_missing_file(tmp_path):
    assert "no such file" in refusal(tmp_path / "a")


def test_file_below_a_file(tmp_path):
    (tmp_path / "a").touch()
    assert "a folder in its path is a file" in refusal(tmp_path / "a" / "b")


def test_folder(tmp_path):
    assert "is a folder" in refusal(tmp_path)


def test_file_without_permission(public_folder, without_rights):
    path = public_folder / "a.png"
    path.touch(mode=0)
    with without_rights():
        message = refusal(path)
    assert "not permitted" in message


def test_file_in_a_folder_without_permission(public_folder, without_rights):
    locked = public_folder / "locked"
    locked.mkdir()
    (locked / "a.png").touch()
    locked.chmod(0)
    with without_rights():
        message = refusal(locked / "a.png")
    assert "not permitted" in message


def test_broken_link_names_its_target(tmp_path):
    (tmp_path / "a.png").symlink_to("gone.png")
    assert refusal(tmp_path / "a.png") == "This is a link to gone.png, which does not exist."


def test_link_to_itself(tmp_path):
    (tmp_path / "a.png").symlink_to("a.png")
    assert "leads back to itself" in refusal(tmp_path / "a.png")


def test_too_long_name(tmp_path):
    assert "too long" in refusal(tmp_path / ("x" * 300 + ".png"))


def test_null_character(tmp_path):
    assert "a character that no file name can have" in refusal(tmp_path / "a\0.png")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
def test_pipe_is_refused_rather_than_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    assert "pipe, socket or device" in refusal(tmp_path / "a.png")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
def test_socket(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the name of a socket may not be long
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("a.png")
        assert "pipe, socket or device" in refusal(tmp_path / "a.png")


def identified(tmp_path, data):
    (tmp_path / "a").write_bytes(data)
    with open_image_file(tmp_path / "a") as stream:
        kind = identify(stream)
        assert stream.tell() == 0
        return kind


@pytest.mark.parametrize(
    ("start", "kind"),
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
    ],
)
def test_identifies_formats_by_content(tmp_path, start, kind):
    assert identified(tmp_path, start + b"rest") == kind
    assert kind in FORMATS


def test_empty_file(tmp_path):
    with pytest.raises(ImageError, match="empty"):
        identified(tmp_path, b"")


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\0\0\0\x18ftypheic", "a HEIC photo"),
        (b"\0\0\0\x18ftypmif1", "a HEIC photo"),
        (b"\0\0\0\x1cftypavif", "an AVIF image"),
        (b"\0\0\0\x0cjP  \r\n", "a JPEG 2000 image"),
        (bytes(128) + b"DICM", "a DICOM file"),
        (b"%PDF-1.7", "a PDF document"),
    ],
)
def test_known_foreign_formats_are_named(tmp_path, data, name):
    with pytest.raises(ImageError, match=f"This is {name}, .* convert it to PNG or TIFF"):
        identified(tmp_path, data)


def test_text(tmp_path):
    with pytest.raises(ImageError, match="not an image in a supported format"):
        identified(tmp_path, b"Hello")
