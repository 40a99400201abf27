import os
import sys

import numpy as np
import pytest
from PIL import Image, ImageOps
from support.samples import colour_picture, mean_difference

from moeclip_cli.errors import ImageError
from moeclip_cli.images.decode import decode

# Pytest resets the filter that silences Pillow's warnings about damaged metadata.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

ORIENTATION = 0x0112


# Formats and colour modes


@pytest.mark.parametrize(
    "name", ["a.png", "a.PNG", "a.bmp", "a.dib", "a.tif", "a.TIFF", "a.ppm", "a.pnm"]
)
def test_lossless_formats_keep_every_pixel(saved, name):
    image_format = {"dib": "BMP", "pnm": "PPM"}.get(name[2:])
    decoded = decode(saved(Image.fromarray(colour_picture()), name, format=image_format))
    assert np.array_equal(decoded.pixels, colour_picture())
    assert decoded.pixels.dtype == np.uint8
    assert decoded.notes == ()


@pytest.mark.parametrize("name", ["a.jpg", "a.JPEG", "a.jpe", "a.jfif", "a.webp"])
def test_lossy_formats_are_close_to_the_original(saved, name):
    decoded = decode(saved(Image.fromarray(colour_picture()), name, quality=95))
    assert mean_difference(decoded.pixels, colour_picture()) < 4
    assert decoded.notes == ()


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp", "a.tif", "a.pgm", "a.webp"])
def test_grey_becomes_three_equal_channels(saved, name):
    grey = Image.fromarray(colour_picture()).convert("L")
    pixels = decode(saved(grey, name)).pixels
    assert pixels.shape == (40, 60, 3)
    assert mean_difference(pixels, np.asarray(grey)[..., None]) < 4
    if name != "a.webp":  # always stores colour
        assert np.array_equal(pixels[..., 0], pixels[..., 2])


@pytest.mark.parametrize(
    ("name", "options"),
    [("a.png", {}), ("a.pbm", {}), ("a.bmp", {}), ("a.tif", {}),
     ("a.tif", {"compression": "group4"})],
)  # fmt: skip
def test_one_bit_per_pixel(saved, name, options):
    bits = Image.fromarray(colour_picture()[..., 0] > 128)
    pixels = decode(saved(bits, name, **options)).pixels
    assert np.array_equal(pixels[..., 1], np.asarray(bits) * np.uint8(255))


def test_palette(saved):
    image = Image.fromarray(colour_picture()).quantize(16)
    assert np.array_equal(decode(saved(image)).pixels, np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
def test_cmyk(saved, name):
    inks = Image.new("CMYK", (16, 16), (0, 255, 255, 0))  # magenta and yellow make red
    pixels = decode(saved(inks, name)).pixels
    assert mean_difference(pixels, np.full((16, 16, 3), (255, 0, 0))) < 6


@pytest.mark.parametrize(
    ("extension", "image_format"),
    [("png", "JPEG"), ("jpg", "PNG"), ("bmp", "TIFF"), ("tif", "WEBP")],
)
def test_content_decides_the_format_regardless_of_the_extension(saved, extension, image_format):
    path = saved(Image.fromarray(colour_picture()), f"a.{extension}", format=image_format)
    assert mean_difference(decode(path).pixels, colour_picture()) < 10


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1)])
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.gif"])
def test_one_pixel_wide_images(saved, name, size):
    assert decode(saved(Image.new("RGB", size, "navy"), name)).pixels.shape == (*size[::-1], 3)


def test_unusual_file_names(saved):
    for name in ("деталь №5.png", "部品.jpg", "a b'c\"d.png", "10:30:05.png", "x" * 251 + ".png"):
        assert decode(saved(Image.fromarray(colour_picture()), name)).pixels.shape == (40, 60, 3)


@pytest.mark.skipif(sys.platform != "linux", reason="needs file names that are not valid UTF-8")
def test_file_name_that_is_not_valid_utf_8(tmp_path, saved):
    path = saved(Image.fromarray(colour_picture())).rename(tmp_path / os.fsdecode(b"caf\xe9.png"))
    assert decode(path).pixels.shape == (40, 60, 3)


# Transparency


def test_transparency_is_shown_over_white(saved):
    colour = np.zeros((10, 10, 4), np.uint8)
    colour[..., 0] = 200  # the hidden colour
    colour[5:, :, 3] = 255
    decoded = decode(saved(Image.fromarray(colour)))
    assert (decoded.pixels[:5] == 255).all()
    assert (decoded.pixels[5:] == (200, 0, 0)).all()
    assert decoded.notes == ("transparent parts shown over white",)


def test_partial_transparency_blends_with_white(saved):
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 128))
    assert abs(int(decode(saved(image)).pixels[0, 0, 0]) - 127) <= 1


def test_opaque_alpha_channel_gets_no_note(saved):
    decoded = decode(saved(Image.fromarray(colour_picture()).convert("RGBA")))
    assert np.array_equal(decoded.pixels, colour_picture())
    assert decoded.notes == ()


@pytest.mark.parametrize(
    ("mode", "colour", "transparency"),
    [("LA", (50, 0), None), ("RGB", (255, 0, 0), (255, 0, 0)), ("L", 7, 7)],
    ids=["grey with alpha", "transparent colour", "transparent grey"],
)
def test_fully_transparent_image_is_white(saved, mode, colour, transparency):
    path = saved(Image.new(mode, (3, 3), colour), transparency=transparency)
    assert (decode(path).pixels == 255).all()


@pytest.mark.parametrize("transparency", [0, bytes([0, 255])], ids=["index", "bytes"])
def test_palette_transparency(saved, transparency):
    image = Image.new("P", (4, 2), 1)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.paste(0, (0, 0, 2, 2))
    decoded = decode(saved(image, transparency=transparency))
    assert (decoded.pixels[:, :2] == 255).all()
    assert (decoded.pixels[:, 2:] == (0, 0, 255)).all()
    assert decoded.notes


# Orientation, pages and frames


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif"])
def test_exif_orientation_is_applied(saved, name, orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    options = {"a.webp": {"lossless": True}, "a.jpg": {"quality": 95}}.get(name, {})
    path = saved(Image.fromarray(colour_picture()), name, exif=exif, **options)
    stored = Image.fromarray(colour_picture())
    stored.getexif()[ORIENTATION] = orientation
    expected = np.asarray(ImageOps.exif_transpose(stored))
    pixels = decode(path).pixels
    assert pixels.shape == expected.shape
    assert mean_difference(pixels, expected) < 4


def test_corrupt_exif_is_ignored(saved):
    path = saved(
        Image.fromarray(colour_picture()), "a.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff junk"
    )
    assert decode(path).pixels.shape == (40, 60, 3)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_invalid_orientation_is_ignored(saved, orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = saved(Image.fromarray(colour_picture()), "a.png", exif=exif)
    assert np.array_equal(decode(path).pixels, colour_picture())


@pytest.mark.parametrize(
    ("name", "note"),
    [("a.tif", "first of several pages"), ("a.gif", "first of several frames"),
     ("a.png", "first of 2 frames"), ("a.webp", "first of 2 frames")],
)  # fmt: skip
def test_only_the_first_page_or_frame_is_decoded(saved, name, note):
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    options = {"lossless": True} if name == "a.webp" else {}
    decoded = decode(saved(frames[0], name, save_all=True, append_images=frames[1:], **options))
    assert (decoded.pixels == (255, 0, 0)).all()
    assert decoded.notes == (note,)


def test_single_frame_gif_gets_no_note(saved):
    assert decode(saved(Image.new("P", (5, 5)), "a.gif")).notes == ()


# Pillow images and arrays


def test_array_is_returned_unchanged():
    pixels = colour_picture()
    assert decode(pixels).pixels is pixels


def test_grey_array_becomes_three_channels():
    pixels = decode(colour_picture()[..., 0]).pixels
    assert np.array_equal(pixels, np.repeat(colour_picture()[..., :1], 3, axis=2))


@pytest.mark.parametrize("shape", [(2, 4, 4, 3), (4,), (), (4, 4, 5)])
def test_arrays_of_other_shapes_are_rejected(shape):
    with pytest.raises(ImageError, match=r"must have shape \(height, width\), .* for RGBA, not"):
        decode(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("shape", [(0, 4, 3), (4, 0, 3), (0, 0)])
def test_empty_arrays_are_rejected(shape):
    with pytest.raises(ImageError, match="array is empty"):
        decode(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I", "F"])
def test_pillow_image_of_every_mode(mode):
    image = Image.fromarray(colour_picture()).convert("L").convert(mode)
    assert decode(image).pixels.shape == (40, 60, 3)


def test_pillow_image_is_turned_upright_but_not_modified():
    image = Image.fromarray(colour_picture())
    image.getexif()[ORIENTATION] = 8
    assert decode(image).pixels.shape == (60, 40, 3)
    assert image.size == (60, 40)
    assert image.getexif()[ORIENTATION] == 8


def test_pillow_image_that_is_not_loaded_or_closed(saved):
    path = saved(Image.fromarray(colour_picture()))
    with Image.open(path) as image:
        assert np.array_equal(decode(image).pixels, colour_picture())
    image = Image.open(path)
    image.close()
    with pytest.raises(ImageError):
        decode(image)


def test_pillow_image_above_the_pixel_limit():
    with pytest.raises(ImageError, match="`max_pixels`"):
        decode(Image.new("L", (20, 20)), max_pixels=399)
