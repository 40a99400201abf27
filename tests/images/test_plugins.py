from __future__ import annotations

import importlib.machinery
import sys
import types

import numpy as np
import pytest
from PIL import Image, features
from support.samples import colour_picture, mean_difference

from moeclip_cli.errors import ImageError
from moeclip_cli.images.decode import decode

HEIC_START = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


@pytest.fixture
def heic(tmp_path):
    """Save a HEIC photo: heic(pixels, **options) -> path."""
    pillow_heif = pytest.importorskip("pillow_heif")

    def save(pixels, **options):
        path = tmp_path / "photo.HEIC"
        pillow_heif.from_pillow(Image.fromarray(pixels)).save(path, quality=95, **options)
        return path

    return save


def test_heic_photos_are_read(heic):
    decoded = decode(heic(colour_picture()))
    assert decoded.pixels.dtype == np.uint8
    assert mean_difference(decoded.pixels, colour_picture()) < 6
    assert decoded.notes == ()


def test_a_truncated_heic_photo_is_corrupt(heic):
    path = heic(colour_picture())
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ImageError, match="The HEIC file is corrupt, truncated"):
        decode(path)


def test_the_pixel_limit_holds_for_heic(heic):
    with pytest.raises(ImageError, match="60 x 40 = 2,400 pixels, more than the limit of 2,000"):
        decode(heic(colour_picture()), max_pixels=2000)


def test_without_its_reader_the_error_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    path = tmp_path / "photo.heic"
    path.write_bytes(HEIC_START)
    with pytest.raises(ImageError) as caught:
        decode(path)
    assert str(caught.value) == (
        "This is a HEIC photo; pillow_heif is not installed; install it with: "
        'pip install "moeclip[heif]"'
    )
    assert caught.value.temporary  # a resumed run reads the photo once the reader is there


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")
def test_avif_images_are_read_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(colour_picture()).save(tmp_path / "a.avif", quality=95, exif=exif)
    pixels = decode(tmp_path / "a.avif").pixels
    assert mean_difference(pixels, np.rot90(colour_picture(), -1)) < 6


def test_a_pillow_without_avif_is_to_be_updated(tmp_path, monkeypatch):
    monkeypatch.delitem(features.modules, "avif", raising=False)
    (tmp_path / "a.avif").write_bytes(b"\0\0\0\x1cftypavif")
    with pytest.raises(ImageError, match=r'pip install "pillow>=11.3"') as caught:
        decode(tmp_path / "a.avif")
    assert caught.value.temporary


@pytest.mark.parametrize("installed", [True, False])
def test_heic_is_among_the_supported_formats_where_it_can_be_read(tmp_path, monkeypatch, installed):
    # `None` makes an import fail as if the package were not installed.
    module = types.ModuleType("pillow_heif")
    module.__spec__ = importlib.machinery.ModuleSpec("pillow_heif", None)
    monkeypatch.setitem(sys.modules, "pillow_heif", module if installed else None)
    (tmp_path / "notes.png").write_text("no image")
    with pytest.raises(ImageError) as refused:
        decode(tmp_path / "notes.png")
    listed, _, remedy = str(refused.value).partition("; ")
    assert ("HEIC" in listed) is installed
    assert ('HEIC photos need pip install "moeclip[heif]"' in remedy) is not installed
