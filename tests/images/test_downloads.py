import gc
import tempfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.samples import colour_picture

from moeclip_cli.discovery.places import RemoteFile
from moeclip_cli.errors import ImageError
from moeclip_cli.images.decode import decode
from moeclip_cli.images.downloads import Download


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def encoded(picture, image_format="png", **options):
    stream = BytesIO()
    Image.fromarray(picture).save(stream, image_format, **options)
    return stream.getvalue()


def test_urls_decode_like_files(web, memory, temporary):
    # The compressed TIFF is decoded in another process, which has no such memory.
    web.files["/a.png"] = encoded(colour_picture())
    memory.pipe("/a.tif", encoded(colour_picture(), "tiff", compression="tiff_lzw"))
    for url in (f"{web.url}/a.png", "memory://a.tif"):
        assert np.array_equal(decode(url).pixels, colour_picture())
        assert np.array_equal(decode(RemoteFile(url)).pixels, colour_picture())
    gc.collect()
    assert list(temporary.iterdir()) == []


def test_a_download_is_fetched_once_and_removed_with_its_object(web, temporary):
    web.files["/a.png"] = encoded(colour_picture())
    download = Download(RemoteFile(f"{web.url}/a.png"))
    first = decode(download).pixels
    web.files["/a.png"] = encoded(255 - colour_picture())
    assert np.array_equal(decode(download).pixels, first)
    assert len(web.requests) == len(list(temporary.iterdir())) == 1
    del download
    gc.collect()
    assert list(temporary.iterdir()) == []


def test_a_page_instead_of_an_image_is_named(web):
    web.files["/login"] = b"\n<!DOCTYPE html><html><body>Please log in</body></html>"
    web.redirects["/a.png"] = "/login"
    with pytest.raises(ImageError, match=r"This is a web page, not an image; give the address of"):
        decode(f"{web.url}/a.png")


def test_kinds_without_a_signature_are_known_by_the_end_of_the_address(web):
    web.files["/a.tga"] = bytes(range(100))
    with pytest.raises(ImageError, match="This is a Targa image"):
        decode(f"{web.url}/a.tga?size=full")


def test_files_larger_than_an_image_of_permitted_size_are_refused(web):
    web.endless = {"/a.png"}
    with pytest.raises(ImageError, match="more than 17 MB"):
        decode(f"{web.url}/a.png", max_pixels=100_000)


def test_a_temporary_folder_that_is_missing_is_one_sentence(web, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(Path("none")))
    with pytest.raises(ImageError, match="set TMPDIR to another one"):
        decode(f"{web.url}/a.png")
