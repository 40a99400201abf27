from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from support.samples import colour_picture

from moeclip_cli.errors import ImageError
from moeclip_cli.images.decode import decode

RGB = colour_picture()
GREY = RGB[..., 0]


def encoded(image_format="PNG"):
    stream = io.BytesIO()
    Image.fromarray(RGB).save(stream, image_format)
    return stream.getvalue()


def tensor(array):
    return torch.from_numpy(np.array(array))


def opaque(array):
    return np.dstack([array, np.full(array.shape[:2], 255, np.uint8)])


@pytest.mark.parametrize(
    "source",
    [
        encoded(),
        encoded("TIFF"),
        bytearray(encoded("BMP")),
        memoryview(encoded()),
        io.BytesIO(encoded("TIFF")),
        Image.fromarray(RGB),
        Image.fromarray(RGB).convert("RGBA"),
        RGB,
        RGB[::-1][::-1],
        opaque(RGB),
        RGB / 255,
        (RGB / 255).astype(np.float32),
        opaque(RGB) / 255,
        tensor(RGB),
        tensor(RGB).permute(2, 0, 1),
        tensor(RGB / 255).permute(2, 0, 1).requires_grad_(),
        tensor(opaque(RGB)).permute(2, 0, 1),
    ],
    ids=lambda source: type(source).__name__,
)
def test_every_form_of_a_colour_image_gives_the_same_pixels(source):
    assert np.array_equal(decode(source).pixels, RGB)


@pytest.mark.parametrize(
    "source",
    [GREY, GREY[..., None], GREY / 255, tensor(GREY), tensor(GREY)[None], tensor(GREY / 255)[None]],
    ids=lambda source: f"{type(source).__name__}{tuple(source.shape)}",
)
def test_every_form_of_a_grey_image_gives_the_same_pixels(source):
    assert np.array_equal(decode(source).pixels, np.dstack([GREY] * 3))


def test_16_bit_arrays_are_scaled_like_16_bit_files(tmp_path):
    values = np.arange(2400, dtype=np.uint16).reshape(40, 60) * 20
    Image.fromarray(values).save(tmp_path / "deep.png")
    assert np.array_equal(decode(values).pixels, decode(tmp_path / "deep.png").pixels)
    assert decode(values).notes == decode(tmp_path / "deep.png").notes != ()
    assert np.array_equal(decode(values.astype(">u2")).pixels, decode(values).pixels)


def test_half_precision_and_switches():
    half = torch.tensor([[0.0, 0.5, 1.0]], dtype=torch.bfloat16)
    assert decode(half).pixels[0, :, 0].tolist() == [0, 128, 255]
    assert decode(np.array([[False, True]])).pixels[0, :, 0].tolist() == [0, 255]


def test_transparent_parts_of_an_array_are_shown_over_white():
    pixels = np.zeros((2, 2, 4), np.uint8)
    decoded = decode(pixels)
    assert (decoded.pixels == 255).all()
    assert decoded.notes == ("transparent parts shown over white",)


class Closed:
    def read(self):
        raise ValueError("I/O operation on closed file")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (None, "not NoneType"),
        (7, "not int"),
        (b"", "The file is empty"),
        (b"no image", "not an image in a supported format"),
        (encoded()[:200], "corrupt, truncated"),
        (io.StringIO("text"), "cannot be read from this StringIO"),
        (Closed(), "I/O operation on closed file"),
        (np.zeros((2, 2, 2), np.uint8), r"not \(2, 2, 2\)"),
        (np.zeros((1, 2, 2, 3), np.uint8), r"not \(1, 2, 2, 3\)"),
        (np.zeros((0, 4, 3), np.uint8), "is empty"),
        (np.zeros((4, 4), np.int64), "not int64"),
        (np.full((4, 4), 200.0), r"must be in \[0, 1\], not from 200 to 200"),
        (np.array([[0.5, np.nan]]), "must not contain NaN or infinity"),
        (np.array([[0.5, -np.inf]]), "must not contain NaN or infinity"),
        (np.array([["a"]]), "not <U1"),
        (torch.zeros(5, 6, 7), r"not \(5, 6, 7\)"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_what_cannot_be_read_is_an_image_error(source, message):
    with pytest.raises(ImageError, match=message):
        decode(source)


def test_no_temporary_file_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    decode(encoded())
    with pytest.raises(ImageError):
        decode(b"no image")
    assert list(tmp_path.iterdir()) == []
