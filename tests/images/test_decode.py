import logging
import os
import random
import struct
import subprocess
import sys
import threading
import warnings
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from moeclip_cli.errors import ImageError
from moeclip_cli.images.decode import DEFAULT_MAX_PIXELS, decode

# Pytest undoes the filter that keeps Pillow quiet about damaged metadata.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

ORIENTATION = 0x0112


def picture(height=40, width=60, seed=0):
    """A smooth colour picture without any symmetry."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def difference(first, second):
    return np.abs(first.astype(float) - second.astype(float)).mean()


@pytest.fixture
def saved(tmp_path):
    """Saves a Pillow image and returns the path."""

    def save(image, name="image.png", **options):
        path = tmp_path / name
        image.save(path, **options)
        return path

    return save


@pytest.fixture
def written(tmp_path):
    """Writes bytes and returns the path."""

    def write(data, name="image.png"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


@pytest.mark.parametrize(
    "name",
    ["a.png", "a.PNG", "a.bmp", "a.dib", "a.tif", "a.TIFF", "a.ppm", "a.pnm"],
)
def test_lossless_formats_keep_every_pixel(saved, name):
    image = Image.fromarray(picture())
    kind = {"dib": "BMP", "pnm": "PPM"}.get(name[2:])
    decoded = decode(saved(image, name, format=kind))
    assert np.array_equal(decoded.pixels, picture())
    assert decoded.pixels.dtype == np.uint8
    assert decoded.notes == ()


@pytest.mark.parametrize("name", ["a.jpg", "a.JPEG", "a.jpe", "a.jfif", "a.webp"])
def test_lossy_formats_look_alike(saved, name):
    decoded = decode(saved(Image.fromarray(picture()), name, quality=95))
    assert difference(decoded.pixels, picture()) < 4
    assert decoded.notes == ()


def test_progressive_jpeg(saved):
    plain = decode(saved(Image.fromarray(picture()), "a.jpg", quality=90))
    progressive = decode(saved(Image.fromarray(picture()), "b.jpg", quality=90, progressive=True))
    assert np.array_equal(plain.pixels, progressive.pixels)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp", "a.tif", "a.pgm", "a.webp"])
def test_grey_becomes_three_equal_channels(saved, name):
    grey = Image.fromarray(picture()).convert("L")
    pixels = decode(saved(grey, name)).pixels
    assert pixels.shape == (40, 60, 3)
    assert difference(pixels, np.asarray(grey)[..., None]) < 4
    if name != "a.webp":  # stores colour always
        assert np.array_equal(pixels[..., 0], pixels[..., 2])


@pytest.mark.parametrize("name", ["a.png", "a.pbm", "a.bmp", "a.tif"])
def test_one_bit(saved, name):
    bits = Image.fromarray(picture()[..., 0] > 128)
    assert bits.mode == "1"
    pixels = decode(saved(bits, name)).pixels
    assert np.array_equal(pixels[..., 1], np.asarray(bits) * np.uint8(255))


def test_one_bit_fax_tiff(saved):
    bits = Image.fromarray(picture()[..., 0] > 128)
    pixels = decode(saved(bits, "a.tif", compression="group4")).pixels
    assert np.array_equal(pixels[..., 1], np.asarray(bits) * np.uint8(255))


def test_palette(saved):
    image = Image.fromarray(picture()).quantize(16)
    assert np.array_equal(decode(saved(image)).pixels, np.asarray(image.convert("RGB")))


def test_transparency_is_shown_over_white(saved):
    colour = np.zeros((10, 10, 4), np.uint8)
    colour[..., 0] = 200  # the hidden colour
    colour[5:, :, 3] = 255
    decoded = decode(saved(Image.fromarray(colour)))
    assert (decoded.pixels[:5] == 255).all()
    assert (decoded.pixels[5:] == (200, 0, 0)).all()
    assert decoded.notes == ("transparent parts shown over white",)


def test_half_transparency_blends_with_white(saved):
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 128))
    assert abs(int(decode(saved(image)).pixels[0, 0, 0]) - 127) <= 1


def test_opaque_alpha_is_not_worth_a_note(saved):
    image = Image.fromarray(picture()).convert("RGBA")
    decoded = decode(saved(image))
    assert np.array_equal(decoded.pixels, picture())
    assert decoded.notes == ()


def test_grey_with_alpha(saved):
    pixels = decode(saved(Image.new("LA", (4, 4), (50, 0)))).pixels
    assert (pixels == 255).all()


@pytest.mark.parametrize("transparency", [0, bytes([0, 255])], ids=["index", "bytes"])
def test_palette_transparency(saved, transparency):
    image = Image.new("P", (4, 2), 1)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.paste(0, (0, 0, 2, 2))
    decoded = decode(saved(image, transparency=transparency))
    assert (decoded.pixels[:, :2] == 255).all()
    assert (decoded.pixels[:, 2:] == (0, 0, 255)).all()
    assert decoded.notes


def test_transparent_colour_of_rgb_and_grey(saved):
    red = saved(Image.new("RGB", (3, 3), (255, 0, 0)), transparency=(255, 0, 0))
    dark = saved(Image.new("L", (3, 3), 7), "b.png", transparency=7)
    assert (decode(red).pixels == 255).all()
    assert (decode(dark).pixels == 255).all()


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
def test_cmyk(saved, name):
    inks = Image.new("CMYK", (16, 16), (0, 255, 255, 0))  # magenta and yellow make red
    pixels = decode(saved(inks, name)).pixels
    assert difference(pixels, np.full((16, 16, 3), (255, 0, 0))) < 6


def test_cmyk_jpeg_agrees_with_another_decoder(saved):
    path = saved(Image.fromarray(picture()).convert("CMYK"), "a.jpg", quality=95)
    assert b"Adobe" in path.read_bytes()
    other = cv2.imread(str(path))[..., ::-1]
    assert difference(decode(path).pixels, other) < 3


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif"])
def test_exif_orientation(saved, name, orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    options = {"lossless": True} if name == "a.webp" else {"quality": 95} if "j" in name else {}
    path = saved(Image.fromarray(picture()), name, exif=exif, **options)
    stored = Image.fromarray(picture())
    stored.getexif()[ORIENTATION] = orientation
    expected = np.asarray(ImageOps.exif_transpose(stored))
    pixels = decode(path).pixels
    assert pixels.shape == expected.shape
    assert difference(pixels, expected) < 4


def test_damaged_exif_does_not_lose_the_image(saved):
    path = saved(Image.fromarray(picture()), "a.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff junk")
    assert decode(path).pixels.shape == (40, 60, 3)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_impossible_orientation_is_ignored(saved, orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = saved(Image.fromarray(picture()), "a.png", exif=exif)
    assert np.array_equal(decode(path).pixels, picture())


def test_first_of_several_pages(saved):
    pages = [Image.fromarray(picture(seed=seed)) for seed in range(3)]
    decoded = decode(saved(pages[0], "a.tif", save_all=True, append_images=pages[1:]))
    assert np.array_equal(decoded.pixels, picture(seed=0))
    assert decoded.notes == ("first of 3 pages",)


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp"])
def test_first_of_several_frames(saved, name):
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    options = {"lossless": True} if name == "a.webp" else {}
    decoded = decode(saved(frames[0], name, save_all=True, append_images=frames[1:], **options))
    assert (decoded.pixels == (255, 0, 0)).all()
    assert decoded.notes == ("first of 2 frames",)


def test_single_gif_has_no_note(saved):
    assert decode(saved(Image.new("P", (5, 5)), "a.gif")).notes == ()


@pytest.mark.parametrize(
    ("extension", "kind"), [("png", "JPEG"), ("jpg", "PNG"), ("bmp", "TIFF"), ("tif", "WEBP")]
)
def test_content_decides_and_not_the_extension(saved, extension, kind):
    path = saved(Image.fromarray(picture()), f"a.{extension}", format=kind)
    assert difference(decode(path).pixels, picture()) < 10


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1)])
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.gif"])
def test_one_pixel_wide(saved, name, size):
    assert decode(saved(Image.new("RGB", size, "navy"), name)).pixels.shape == (*size[::-1], 3)


def test_names_in_other_alphabets_and_with_odd_characters(saved):
    for name in ("деталь №5.png", "部品.jpg", "a b'c\"d.png", "10:30:05.png", "x" * 251 + ".png"):
        assert decode(saved(Image.fromarray(picture()), name)).pixels.shape == (40, 60, 3)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names that are no text")
def test_name_that_is_not_valid_text(tmp_path, saved):
    path = saved(Image.fromarray(picture())).rename(tmp_path / os.fsdecode(b"caf\xe9.png"))
    assert decode(path).pixels.shape == (40, 60, 3)


# More than 8 bits


def test_16_bit_grey_png_uses_its_real_range(written, png16):
    values = np.linspace(1000, 3000, 2400).reshape(40, 60).astype(np.uint16)
    decoded = decode(written(png16(values)))
    expected = np.rint((values.astype(float) - 1000) / 2000 * 255)
    assert difference(decoded.pixels, expected[..., None]) < 0.01
    assert decoded.notes == ("values 1000 to 3000 scaled to 8 bits",)


def test_16_bit_colour_png_keeps_colours(written, png16):
    decoded = decode(written(png16(picture().astype(np.uint16) * 16)))
    low, high = picture().min(), picture().max()
    expected = (picture().astype(float) - low) / (high - low) * 255
    assert np.abs(decoded.pixels - expected).max() <= 0.51


def test_16_bit_colour_png_is_turned_upright(written, png16):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    chunk = (b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))
    plain = decode(written(png16(picture().astype(np.uint16)))).pixels
    turned = decode(written(png16(picture().astype(np.uint16), chunk))).pixels
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


@pytest.mark.parametrize("maximum", [4095, 65535])
@pytest.mark.parametrize("channels", [1, 3])
def test_16_bit_pnm(written, maximum, channels):
    colours = picture() if channels == 3 else picture()[..., 0]
    values = (colours.astype(np.uint16) * 16).astype(">u2")
    header = b"P%d\n# camera 7\n60 40\n%d\n" % (6 if channels == 3 else 5, maximum)
    pixels = decode(written(header + values.tobytes(), "a.pgm")).pixels
    span = int(values.max()) - int(values.min())
    expected = (values.astype(float) - values.min()) / span * 255
    assert np.abs(pixels - expected.reshape(40, 60, channels)).max() <= 0.51


def test_plain_text_16_bit_pgm(written):
    assert decode(written(b"P2 3 1 1023 10 20 30 ")).pixels[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("dtype", ["u2", "i2", "u4", "i4", "f4", "f8"])
def test_deep_grey_tiff_of_every_type(written, tiff, dtype):
    values = picture()[..., 0].astype(dtype)
    if dtype == "u4":
        values += np.uint32(2**32 - 300)
    elif dtype != "u2":
        values -= 100
    pixels = decode(written(tiff(values), "a.tif")).pixels
    expected = (values.astype(float) - values.min()) / (float(values.max()) - values.min()) * 255
    assert np.abs(pixels - expected[..., None]).max() <= 0.51


@pytest.mark.parametrize("dtype", ["u2", "f4", "f8"])
def test_deep_colour_tiff_of_every_type(written, tiff, dtype):
    values = picture().astype(dtype) * 7
    pixels = decode(written(tiff(values), "a.tif")).pixels
    span = float(values.max()) - float(values.min())
    assert np.abs(pixels - (values.astype(float) - values.min()) / span * 255).max() <= 0.51


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_deep_tiff_is_turned_upright(written, tiff, channels, orientation):
    values = picture().astype(np.uint16) * 100
    values = values if channels == 3 else values[..., 0]
    plain = Image.fromarray(decode(written(tiff(values), "a.tif")).pixels)
    plain.getexif()[ORIENTATION] = orientation
    pixels = decode(written(tiff(values, tag_274=orientation), "b.tif")).pixels
    assert np.array_equal(pixels, np.asarray(ImageOps.exif_transpose(plain)))


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate"])
def test_compressed_16_bit_grey_tiff(saved, compression):
    values = picture()[..., 0].astype(np.uint16) * 9
    path = saved(Image.fromarray(values), "a.tif", compression=compression)
    assert decode(path).pixels.min() == 0
    assert decode(path).pixels.max() == 255


def test_compressed_16_bit_colour_tiff(tmp_path):
    path = tmp_path / "a.tiff"
    cv2.imwrite(str(path), picture()[..., ::-1].astype(np.uint16) * 9)
    low, high = int(picture().min()), int(picture().max())
    expected = (picture().astype(float) - low) / (high - low) * 255
    assert np.abs(decode(path).pixels - expected).max() <= 0.51


def test_16_bit_tiff_pages(saved):
    pages = [Image.fromarray(np.full((4, 4), 9, np.uint16)) for _ in range(2)]
    decoded = decode(saved(pages[0], "a.tif", save_all=True, append_images=pages[1:]))
    assert decoded.notes[0] == "first of 2 pages"


def test_white_is_zero_in_a_deep_tiff(written, tiff):
    values = np.arange(6, dtype=np.uint16).reshape(2, 3)
    pixels = decode(written(tiff(values, tag_262=0), "a.tif")).pixels
    assert pixels[..., 0].tolist() == [[255, 204, 153], [102, 51, 0]]


def test_fourth_channel_of_a_deep_tiff(written, tiff):
    values = np.dstack([picture().astype(np.uint16), np.zeros((40, 60), np.uint16)])
    alpha = decode(written(tiff(values, tag_338=2), "a.tif"))
    infrared = decode(written(tiff(values, tag_338=0), "b.tif"))
    assert (alpha.pixels == 255).all()
    assert infrared.pixels.min() == 0
    assert len(infrared.notes) == 1


@pytest.mark.parametrize("values", [np.zeros((5, 5, 3), "u2"), np.zeros((5, 5, 4), "f4")])
def test_deep_planes_are_refused_rather_than_misread(written, tiff, values):
    with pytest.raises(ImageError, match="separate planes of . x .*save it as PNG"):
        decode(written(tiff(values, planar=True), "a.tif"))


@pytest.mark.parametrize("values", [np.zeros((5, 5), "f2"), np.zeros((5, 5, 5), "u2")])
def test_other_kinds_of_tiff_are_refused_by_name(written, tiff, values):
    with pytest.raises(ImageError, match=r"This kind of TIFF \(pixels of"):
        decode(written(tiff(values), "a.tif"))


@pytest.mark.parametrize("value", [0, 5, 60000])
def test_constant_16_bit_image_is_mid_grey(written, png16, value):
    assert (decode(written(png16(np.full((4, 4), value)))).pixels == 128).all()


def test_float_tiff_with_nan_and_infinity(written, tiff):
    values = np.array([[np.nan, 0, 1, 2, np.inf, -np.inf]], np.float32)
    pixels = decode(written(tiff(values), "a.tif")).pixels
    assert pixels[0, :, 0].tolist() == [0, 0, 128, 255, 255, 0]


# Pillow images and arrays


def test_array_is_taken_as_it_is():
    pixels = picture()
    assert decode(pixels).pixels is pixels


def test_grey_array():
    pixels = decode(picture()[..., 0]).pixels
    assert np.array_equal(pixels, np.repeat(picture()[..., :1], 3, axis=2))


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 1), np.uint8),
        np.zeros((2, 4, 4, 3), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros((), np.uint8),
        np.zeros((4, 4), bool),
    ],
)
def test_other_arrays_are_refused(array):
    with pytest.raises(ImageError, match=r"must be \(height, width, 3\) RGB .* of type uint8, not"):
        decode(array)


@pytest.mark.parametrize("shape", [(0, 4, 3), (4, 0, 3), (0, 0)])
def test_empty_arrays_are_refused(shape):
    with pytest.raises(ImageError, match="array is empty"):
        decode(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I", "F"])
def test_pillow_image_of_every_mode(mode):
    image = Image.fromarray(picture()).convert("L").convert(mode)
    assert decode(image).pixels.shape == (40, 60, 3)


def test_pillow_image_is_turned_upright_and_left_as_it_was():
    image = Image.fromarray(picture())
    image.getexif()[ORIENTATION] = 8
    assert decode(image).pixels.shape == (60, 40, 3)
    assert image.size == (60, 40)
    assert image.getexif()[ORIENTATION] == 8


def test_pillow_image_that_is_not_loaded_yet(saved):
    with Image.open(saved(Image.fromarray(picture()))) as image:
        assert np.array_equal(decode(image).pixels, picture())


def test_closed_pillow_image(saved):
    image = Image.open(saved(Image.fromarray(picture())))
    image.close()
    with pytest.raises(ImageError):
        decode(image)


def test_pillow_image_above_the_limit():
    with pytest.raises(ImageError, match="--max-pixels"):
        decode(Image.new("L", (20, 20)), max_pixels=399)


# What cannot be read


def sentence(source, **options):
    """The message of the refusal, which has to be one clear sentence."""
    with pytest.raises(ImageError) as caught:
        decode(source, **options)
    text = str(caught.value)
    assert text.endswith(".")
    assert ". " not in text
    assert not any(word in text for word in ("PIL", "Error", "Errno", "<", "0x", "decoder"))
    return text


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp", "a.tif", "a.webp", "a.gif", "a.ppm"])
@pytest.mark.parametrize("share", [0.4, 0.8, 0.97])
def test_truncated_file_is_an_error(saved, written, name, share):
    noise = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    data = saved(Image.fromarray(noise), name).read_bytes()
    assert "cut short" in sentence(written(data[: int(len(data) * share)], name))


@pytest.mark.parametrize("share", [0.4, 0.8, 0.97])
def test_truncated_deep_file_is_an_error(written, png16, tiff, share):
    noise = np.random.default_rng(0).integers(0, 65536, (60, 60, 3), dtype=np.uint16)
    pnm = b"P6 60 60 65535\n" + noise.astype(">u2").tobytes()
    for data in (png16(noise), png16(noise[..., 0]), tiff(noise), tiff(noise[..., 0]), pnm):
        assert "cut short" in sentence(written(data[: int(len(data) * share)]))


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "jpeg"])
def test_truncated_compressed_tiff(saved, written, compression):
    noise = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    data = saved(Image.fromarray(noise), "a.tif", compression=compression).read_bytes()
    assert "cut short" in sentence(written(data[: len(data) // 2]))


def test_empty_file(written):
    assert sentence(written(b"")) == "The file is empty (0 bytes); copy or export it again."


@pytest.mark.parametrize("data", [b"not an image\n", b"\x89PNG", b"P7\n", b"RIFF0000WAVE", b"\0"])
def test_what_is_no_image(written, data):
    assert "not an image in a supported format (PNG, JPEG" in sentence(written(data))


@pytest.mark.parametrize(
    "data", [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"BM", b"II*\0", b"MM\0*", b"GIF89a", b"P5"]
)
def test_nothing_but_a_signature(written, data):
    assert "cut short" in sentence(written(data))


def test_folder_with_the_name_of_an_image(tmp_path):
    (tmp_path / "x.png").mkdir()
    assert "This is a folder" in sentence(tmp_path / "x.png")


def test_missing_file(tmp_path):
    assert "There is no such file" in sentence(tmp_path / "gone.png")


def test_too_many_pixels(saved):
    path = saved(Image.new("1", (300, 200)))
    text = sentence(path, max_pixels=59_999)
    assert "300 x 200 = 60,000 pixels, more than the limit of 59,999" in text
    assert "--max-pixels" in text
    assert decode(path, max_pixels=60_000).pixels.shape == (200, 300, 3)


@pytest.mark.parametrize("size", [(2**31 - 1, 2**31 - 1), (100_000, 3000)])
def test_decompression_bombs_are_refused_before_they_are_decoded(written, png16, tiff, size):
    sizes = struct.pack(">II", *size)
    small = np.zeros((1, 1), np.uint16)
    png = written(png16(small).replace(struct.pack(">II", 1, 1), sizes, 1), "a.png")
    png.write_bytes(_with_right_checksum(png.read_bytes()))
    pnm = written(b"P5 %d %d 65535\n" % size, "a.pgm")
    assert "--max-pixels" in sentence(png)
    assert "--max-pixels" in sentence(pnm)


def _with_right_checksum(png):
    return png[:29] + struct.pack(">I", zlib.crc32(png[12:29])) + png[33:]


def test_limit_can_be_raised_above_pillows_own(saved, monkeypatch):
    path = saved(Image.new("L", (300, 200)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert decode(path).pixels.shape == (200, 300, 3)
    assert Image.MAX_IMAGE_PIXELS == 100
    assert DEFAULT_MAX_PIXELS == 200_000_000


def test_damaged_animation_of_16_bits_ends_nothing(written, png16):
    """OpenCV 5.0 crashes on this one if it is handed the file as it is."""
    control = (b"acTL", struct.pack(">II", 2, 0))
    values = np.arange(5 * 8 * 4, dtype=np.uint16).reshape(5, 8, 4) * 400
    whole = png16(values, control)
    frame = struct.pack(">IIIIIHHBB", 1, 8, 5, 0, 0, 1, 10, 0, 0)
    damaged = whole[:-12] + _chunk(b"fcTL", frame) + _chunk(b"fdAT", b"\0\0\0\2junk") + whole[-12:]
    try:
        assert decode(written(damaged)).pixels.shape == (5, 8, 3)
    except ImageError as error:
        assert "damaged" in str(error)


def _chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_damaged_files_give_pixels_or_an_image_error(tmp_path, saved, png16, tiff):
    rng = random.Random(5)
    noise = picture(30, 20)
    originals = [
        saved(Image.fromarray(noise), f"original.{kind}").read_bytes()
        for kind in ("png", "jpg", "bmp", "tif", "webp", "gif", "ppm")
    ]
    originals += [png16(noise.astype(np.uint16) * 99), tiff(noise.astype(np.uint16) * 99)]
    originals += [tiff(noise[..., 0].astype("f4")), b"P5 20 30 4095\n" + noise[..., :2].tobytes()]
    frames = [Image.fromarray(picture(30, 20, seed)) for seed in range(3)]
    for name in ("pages.tif", "frames.gif", "frames.png"):
        path = saved(frames[0], name, save_all=True, append_images=frames[1:])
        originals.append(path.read_bytes())
    outcomes = set()
    for number in range(1200):
        path = tmp_path / str(number)  # overwriting one file would wait for the disk each time
        data = bytearray(rng.choice(originals))
        if rng.random() < 0.3:
            del data[rng.randrange(len(data)) :]
        else:
            for _ in range(rng.choice((1, 4, 30))):
                reach = min(len(data), rng.choice((40, 400, 10**6)))
                data[rng.randrange(reach)] = rng.randrange(256)
        path.write_bytes(data)
        try:
            decoded = decode(path, max_pixels=10**6)
        except ImageError as error:
            assert str(error).endswith(".")
            outcomes.add("error")
        else:
            assert decoded.pixels.dtype == np.uint8
            assert decoded.pixels.ndim == 3
            assert decoded.pixels.shape[2] == 3
            assert decoded.pixels.size > 0
            outcomes.add("pixels")
    assert outcomes == {"error", "pixels"}


def test_decoding_in_many_threads_gives_the_same_pixels(saved, png16, written):
    paths = [
        saved(Image.fromarray(picture(seed=1)), "a.jpg"),
        saved(Image.fromarray(picture(seed=2)).convert("RGBA"), "b.png"),
        saved(Image.fromarray(picture(seed=3)), "c.tif"),
        written(png16(picture(seed=4).astype(np.uint16) * 50), "d.png"),
        written(b"junk", "e.png"),
    ]
    expected = [_pixels_or_none(path) for path in paths]
    wrong = []

    def work():
        for _ in range(20):
            for path, pixels in zip(paths, expected, strict=True):
                if not np.array_equal(_pixels_or_none(path), pixels):
                    wrong.append(path)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def _pixels_or_none(path):
    try:
        return decode(path).pixels
    except ImageError:
        return None


def test_nothing_of_pillows_is_printed(tmp_path, saved):
    """Damaged metadata makes Pillow warn, which would tear a progress bar apart."""
    path = saved(Image.fromarray(picture()), "a.tif", artist="x" * 50)
    right, wrong = (struct.pack("<HHI", 315, 2, length) for length in (51, 20_000))
    path.write_bytes(path.read_bytes().replace(right, wrong))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        decode(path)
    assert caught, "the file has to be one that Pillow warns about"
    code = (
        "import sys; from pathlib import Path; from moeclip_cli.images.decode import decode;"
        "print(decode(Path(sys.argv[1])).pixels.shape)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert done.stdout == "(40, 60, 3)\n"
    assert done.stderr == ""


def test_nobody_elses_warnings_or_logs_are_touched():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning):
            warnings.warn("mine", stacklevel=1)
    assert not logging.getLogger("PIL").disabled
    assert logging.getLogger("PIL").propagate
