import io

import cv2
import numpy as np
import pytest

from moeclip_cli.errors import ImageError
from moeclip_cli.images.high_bit_depth import (
    MID_GREY,
    is_16_bit_png,
    is_16_bit_pnm,
    read_all_bits,
    scale_to_8_bits,
)


def test_scaling_uses_the_range_of_the_image():
    pixels, notes = scale_to_8_bits(np.array([[100, 150, 200]], np.uint16))
    assert pixels.tolist() == [[0, 128, 255]]
    assert pixels.dtype == np.uint8
    assert notes == ("values 100 to 200 scaled to 8 bits",)


def test_channels_share_one_range():
    pixels, _ = scale_to_8_bits(np.array([[[0, 500, 1000]]], np.uint16))
    assert pixels.tolist() == [[[0, 128, 255]]]


@pytest.mark.parametrize("dtype", ["u2", ">u2", "i2", "u4", "i4", "f4"])
def test_extreme_values_of_every_data_type(dtype):
    kind = np.dtype(dtype)
    limits = np.finfo(kind) if kind.kind == "f" else np.iinfo(kind)
    pixels, _ = scale_to_8_bits(np.array([[limits.min, 0, limits.max]], kind))
    assert pixels.tolist() == [[0, 0 if kind.kind == "u" else 128, 255]]


def test_range_that_overflows_is_rejected():
    with pytest.raises(ImageError, match="is too wide"):
        scale_to_8_bits(np.array([[-1.7e308, 1.7e308]]))


def test_tiny_range_on_a_large_offset_is_resolved():
    values = np.array([[1e6, 1e6 + 0.5, 1e6 + 1]], np.float64)
    assert scale_to_8_bits(values)[0].tolist() == [[0, 128, 255]]


def test_smallest_possible_range():
    values = np.array([[0, 5e-324]], np.float64)
    assert scale_to_8_bits(values)[0].tolist() == [[0, 255]]


@pytest.mark.parametrize("value", [0, 7, np.nan, np.inf])
def test_image_without_contrast(value):
    assert (scale_to_8_bits(np.full((2, 2), value, np.float32))[0] == MID_GREY).all()


def test_nan_and_infinity_do_not_count_towards_the_range():
    values = np.array([[1, 3, np.nan, np.inf, -np.inf]], np.float32)
    pixels, notes = scale_to_8_bits(values)
    assert pixels.tolist() == [[0, 255, 0, 255, 0]]
    assert notes == ("values 1 to 3 scaled to 8 bits",)


def test_transparent_pixels_do_not_count_towards_the_range():
    values = np.array([[[10, 10, 10, 65535], [20, 20, 20, 65535], [60000, 0, 0, 0]]], np.uint16)
    pixels, notes = scale_to_8_bits(values)
    assert pixels[0].tolist() == [[0, 0, 0], [255, 255, 255], [255, 255, 255]]
    assert notes == ("values 10 to 20 scaled to 8 bits", "transparent parts shown over white")


def test_opaque_alpha_changes_nothing():
    values = np.array([[[10, 20, 30, 1.0]]], np.float32)
    pixels, notes = scale_to_8_bits(values)
    assert pixels.tolist() == [[[0, 128, 255]]]
    assert len(notes) == 1


def test_fully_transparent_image_is_white():
    pixels, _ = scale_to_8_bits(np.zeros((2, 2, 4), np.uint16))
    assert (pixels == 255).all()


def test_all_bits_are_read_in_rgb_order():
    values = np.random.default_rng(0).integers(0, 65536, (4, 5, 3), dtype=np.uint16)
    data = cv2.imencode(".png", values)[1].tobytes()
    read = read_all_bits(io.BytesIO(data))
    assert np.array_equal(read, values[..., ::-1])
    assert read.flags.c_contiguous


def test_only_the_chunks_of_the_still_image_are_read(png16):
    values = np.arange(12, dtype=np.uint16).reshape(2, 2, 3)
    plain = read_all_bits(io.BytesIO(png16(values)))
    with_extras = read_all_bits(io.BytesIO(png16(values, (b"eXIf", b"junk"), (b"acTL", bytes(8)))))
    assert np.array_equal(plain, with_extras)


def test_transparent_colour_of_a_16_bit_png(png16):
    values = np.arange(12, dtype=np.uint16).reshape(2, 2, 3)
    read = read_all_bits(io.BytesIO(png16(values, (b"tRNS", bytes([0, 0, 0, 1, 0, 2])))))
    assert read[..., 3].tolist() == [[0, 65535], [65535, 65535]]


def test_file_that_opencv_cannot_read(png16):
    data = png16(np.zeros((9, 9, 3), np.uint16))
    with pytest.raises(ImageError, match="save it again as PNG"):
        read_all_bits(io.BytesIO(data[:60]))


@pytest.mark.parametrize(("dtype", "expected"), [(np.uint8, False), (np.uint16, True)])
def test_bit_depth_of_png(dtype, expected):
    data = cv2.imencode(".png", np.zeros((2, 2, 3), dtype))[1].tobytes()
    assert is_16_bit_png(io.BytesIO(data)) is expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"P5 2 1 255\n" + bytes(2), False),
        (b"P5 2 1 256\n" + bytes(4), True),
        (b"P5\n# 65535\n2 # two\n1\n255\n" + bytes(2), False),
        (b"P6\n#\n2\t1\n65535 " + bytes(12), True),
        (b"P2 1 1 4095 17", True),
        (b"P4 8 1\n\0", False),
        (b"P5 junk", False),
        (b"P5", False),
    ],
)
def test_bit_depth_of_pnm(data, expected):
    assert is_16_bit_pnm(io.BytesIO(data)) is expected


def test_truncated_pnm():
    with pytest.raises(ImageError, match="truncated"):
        is_16_bit_pnm(io.BytesIO(b"P6 2 1 65535\n" + bytes(11)))
