"""Masks are read as they are stored: luminance without alpha, deep values without scaling."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, features
from support.raw_images import encode_tiff

from moeclip_cli.errors import ImageError
from moeclip_cli.images.decode import decode_mask


def corner(shape, dtype, value):
    """Zeros but for the top left pixel."""
    values = np.zeros(shape, dtype)
    values[0, 0] = value
    return values


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_ignored(saved, mode):
    mask = Image.new(mode, (3, 2))
    mask.putpixel((0, 0), (255, 255, 255, 255)[: len(mode)] if mode == "RGBA" else (255, 255))
    assert decode_mask(saved(mask)).tolist() == [[255, 0, 0], [0, 0, 0]]


def test_a_transparent_palette_entry_keeps_its_colour(saved):
    mask = Image.new("P", (2, 1))
    mask.putpalette([0, 0, 0, 255, 255, 255])
    mask.putpixel((1, 0), 1)
    assert decode_mask(saved(mask, transparency=0)).tolist() == [[0, 255]]


@pytest.mark.parametrize("name", ["mask.png", "mask.tif", "mask.pgm"])
@pytest.mark.parametrize(("value", "expected"), [(0, 0), (1, 1), (255, 255), (256, 255)])
def test_16_bits_are_not_scaled(saved, written, name, value, expected):
    values = corner((2, 3), np.uint16, value)
    if name == "mask.pgm":  # which Pillow writes since 11.0
        path = written(b"P5 3 2 65535\n" + values.astype(">u2").tobytes(), name)
    else:
        path = saved(Image.fromarray(values), name)
    assert decode_mask(path).tolist() == [[expected, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize("dtype", [np.uint32, np.int32, np.float32, np.float64])
def test_deeper_values_are_not_scaled(written, dtype):
    largest = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1.0
    mask = decode_mask(written(encode_tiff(corner((2, 3), dtype, largest)), "mask.tif"))
    assert (mask > 0).tolist() == [[True, False, False], [False, False, False]]


def test_deep_colours_are_their_luminance(written):
    values = corner((2, 3, 4), np.uint16, (60000, 60000, 60000, 0))
    mask = decode_mask(written(encode_tiff(values), "mask.tif"))
    assert mask.tolist() == [[255, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    ("colour", "luminance"), [((0, 0, 4), 0), ((0, 0, 5), 1), ((255, 0, 0), 76)]
)
def test_colours_are_their_luminance(saved, colour, luminance):
    assert decode_mask(saved(Image.new("RGB", (2, 2), colour))).tolist() == [[luminance] * 2] * 2
    palette = Image.new("P", (2, 2))
    palette.putpalette(list(colour))
    assert decode_mask(saved(palette)).tolist() == [[luminance] * 2] * 2


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "CMYK", "P"])
@pytest.mark.parametrize("name", ["mask.png", "mask.tif", "mask.jpg", "mask.bmp", "mask.gif"])
def test_pillow_reads_the_same_luminance(saved, mode, name):
    """What the authors' code calls: `Image.open(path).convert("L")`."""
    blocks = np.kron(np.random.default_rng(0).integers(0, 256, (3, 4, 3)), np.ones((8, 8, 1)))
    image = Image.fromarray(blocks.astype(np.uint8)).convert(mode)
    try:
        path = saved(image, name)
    except (OSError, ValueError):
        pytest.skip("the format cannot store this mode")
    with Image.open(path) as opened:
        assert np.array_equal(decode_mask(path), np.asarray(opened.convert("L")))


def test_a_mask_is_turned_upright_by_its_own_orientation(saved):
    exif = Image.Exif()
    exif[0x0112] = 6
    mask = Image.fromarray(corner((2, 3), np.uint8, 9))
    turned = decode_mask(saved(mask, exif=exif))
    assert turned.tolist() == [[0, 9], [0, 0], [0, 0]]
    deep = Image.fromarray(corner((2, 3), np.uint16, 9))
    assert np.array_equal(decode_mask(saved(deep, "deep.png", exif=exif)), turned)


def test_a_large_mask_is_read_in_a_helper(written):
    """As a compressed TIFF is, whose library prints messages."""
    rgba = Image.new("RGBA", (4, 3))
    path = written(b"", "mask.tif")
    rgba.save(path, compression="tiff_lzw")
    assert not decode_mask(path).any()


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")
def test_formats_of_plugins_are_read(saved):
    mask = Image.fromarray(np.kron([[0, 255]], np.ones((16, 16))).astype(np.uint8))
    read = decode_mask(saved(mask.convert("RGB"), "mask.avif", quality=100))
    assert np.array_equal(read > 128, np.asarray(mask) > 128)


def test_what_is_no_image_is_one_sentence(written):
    with pytest.raises(ImageError):
        decode_mask(written(b"nothing", "mask.png"))
