"""Decoding of images with more than 8 bits per channel."""

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps
from support.samples import colour_picture

from moeclip_cli.errors import ImageError
from moeclip_cli.images.decode import decode

ORIENTATION = 0x0112


def picture16():
    return colour_picture().astype(np.uint16)


def stretched(values):
    """Map an image's own range to 0 to 255, the expected result."""
    values = np.asarray(values, float)
    return (values - values.min()) / (values.max() - values.min()) * 255


def assert_rounded(pixels, expected):
    assert np.abs(pixels - expected).max() <= 0.51


def test_16_bit_grey_png_is_scaled_by_its_own_range(written, png16):
    values = np.linspace(1000, 3000, 2400).reshape(40, 60).astype(np.uint16)
    decoded = decode(written(png16(values)))
    assert_rounded(decoded.pixels, stretched(values)[..., None])
    assert decoded.notes == ("values 1000 to 3000 scaled to 8 bits",)


def test_16_bit_colour_png_keeps_colours(written, png16):
    assert_rounded(decode(written(png16(picture16() * 16))).pixels, stretched(colour_picture()))


def test_16_bit_colour_png_is_turned_upright(written, png16):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    chunk = (b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))
    plain, turned = (decode(written(png16(picture16(), *extra))).pixels for extra in ((), (chunk,)))
    assert np.array_equal(turned, np.rot90(plain, -1))


def test_16_bit_png_with_alpha(written, png16):
    values = np.zeros((4, 4, 4), np.uint16)
    values[..., :3] = np.arange(4)[:, None, None] * 1000
    values[:2, :, 3] = 65535
    decoded = decode(written(png16(values)))
    assert decoded.pixels[:, 0, 0].tolist() == [0, 255, 255, 255]
    assert "transparent parts shown over white" in decoded.notes


def test_16_bit_grey_png_with_alpha(written, png16):
    values = np.full((4, 4, 2), 65535, np.uint16)
    values[..., 0] = np.arange(4) * 10
    assert decode(written(png16(values))).pixels[0, :, 2].tolist() == [0, 85, 170, 255]


@pytest.mark.parametrize("value", [0, 5, 60000])
def test_constant_16_bit_image_is_mid_grey(written, png16, value):
    assert (decode(written(png16(np.full((4, 4), value)))).pixels == 128).all()


@pytest.mark.parametrize("maximum", [4095, 65535])
@pytest.mark.parametrize("channels", [1, 3])
def test_16_bit_binary_pnm(written, maximum, channels):
    values = (picture16()[..., :channels] * 16).astype(">u2")
    header = b"P%d\n# camera 7\n60 40\n%d\n" % (6 if channels == 3 else 5, maximum)
    assert_rounded(decode(written(header + values.tobytes())).pixels, stretched(values))


def test_16_bit_text_pgm(written):
    assert decode(written(b"P2 3 1 1023 10 20 30 ")).pixels[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("dtype", ["u2", "i2", "u4", "i4", "f4", "f8"])
def test_grey_tiff_of_every_data_type(written, tiff, dtype):
    values = colour_picture()[..., 0].astype(dtype)
    if dtype == "u4":
        values += np.uint32(2**32 - 300)
    elif dtype != "u2":
        values -= 100
    assert_rounded(decode(written(tiff(values))).pixels, stretched(values)[..., None])


@pytest.mark.parametrize("dtype", ["u2", "f4", "f8"])
def test_colour_tiff_of_every_data_type(written, tiff, dtype):
    values = colour_picture().astype(dtype) * 7
    assert_rounded(decode(written(tiff(values))).pixels, stretched(values))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_16_bit_tiff_is_turned_upright(written, tiff, channels, orientation):
    values = picture16() if channels == 3 else picture16()[..., 0]
    plain = Image.fromarray(decode(written(tiff(values), "a.tif")).pixels)
    plain.getexif()[ORIENTATION] = orientation
    pixels = decode(written(tiff(values, tag_274=orientation), "b.tif")).pixels
    assert np.array_equal(pixels, np.asarray(ImageOps.exif_transpose(plain)))


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate"])
def test_compressed_16_bit_grey_tiff(saved, compression):
    values = picture16()[..., 0]
    path = saved(Image.fromarray(values), "a.tif", compression=compression)
    assert_rounded(decode(path).pixels, stretched(values)[..., None])


def test_compressed_16_bit_colour_tiff(tmp_path):
    path = tmp_path / "a.tiff"
    cv2.imwrite(str(path), picture16()[..., ::-1] * 9)
    assert_rounded(decode(path).pixels, stretched(colour_picture()))


def test_first_page_of_a_16_bit_tiff(saved):
    pages = [Image.fromarray(np.full((4, 4), 9, np.uint16)) for _ in range(2)]
    decoded = decode(saved(pages[0], "a.tif", save_all=True, append_images=pages[1:]))
    assert decoded.notes[0] == "first of several pages"


def test_white_is_zero_16_bit_tiff_is_inverted(written, tiff):
    values = np.arange(6, dtype=np.uint16).reshape(2, 3)
    pixels = decode(written(tiff(values, tag_262=0))).pixels
    assert pixels[..., 0].tolist() == [[255, 204, 153], [102, 51, 0]]


def test_fourth_channel_of_a_16_bit_tiff_may_be_alpha_or_other_data(written, tiff):
    values = np.dstack([picture16(), np.zeros((40, 60), np.uint16)])
    alpha = decode(written(tiff(values, tag_338=2), "a.tif"))
    infrared = decode(written(tiff(values, tag_338=0), "b.tif"))
    assert (alpha.pixels == 255).all()
    assert infrared.pixels.min() == 0
    assert len(infrared.notes) == 1


def test_float_tiff_with_nan_and_infinity(written, tiff):
    values = np.array([[np.nan, 0, 1, 2, np.inf, -np.inf]], np.float32)
    assert decode(written(tiff(values))).pixels[0, :, 0].tolist() == [0, 0, 128, 255, 255, 0]


@pytest.mark.parametrize(
    ("values", "planar", "layout"),
    [
        (np.zeros((5, 5, 3), "u2"), True, "separate planes"),
        (np.zeros((5, 5, 4), "f4"), True, "separate planes"),
        (np.zeros((5, 5), "f2"), False, "pixels"),
        (np.zeros((5, 5, 5), "u2"), False, "pixels"),
    ],
)
def test_unsupported_tiff_variants_are_rejected(written, tiff, values, planar, layout):
    with pytest.raises(ImageError, match=rf"TIFF variant \({layout} of . x .*save it as PNG"):
        decode(written(tiff(values, planar=planar)))
