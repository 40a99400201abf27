"""Decoding of invalid files, and the effects of decoding on the process."""

import logging
import random
import struct
import subprocess
import sys
import threading
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image
from support.image_mutants import sample_files
from support.samples import colour_picture

from moeclip_cli.errors import ImageError
from moeclip_cli.images.decode import DEFAULT_MAX_PIXELS, decode

# Pytest resets the filter that silences Pillow's warnings about damaged metadata.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")


def message(source, **options):
    """The error message, which has to be a single sentence without internals."""
    with pytest.raises(ImageError) as caught:
        decode(source, **options)
    text = str(caught.value)
    assert text.endswith(".")
    assert ". " not in text
    assert not any(word in text for word in ("PIL", "Error", "Errno", "<", "0x", "decoder"))
    return text


def test_a_webp_canvas_that_no_frame_can_fill_is_not_decoded(written):
    content = bytearray(sample_files()["webp-frames"])
    content[24:27] = (8_000_000).to_bytes(3, "little")  # the width, less 1
    assert "8000001 x 20 pixels" in message(written(content, "a.webp"))


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp", "a.tif", "a.webp", "a.gif", "a.ppm"])
@pytest.mark.parametrize("share", [0.4, 0.97])
def test_truncated_files_are_rejected(saved, written, name, share):
    noise = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    data = saved(Image.fromarray(noise), name).read_bytes()
    assert "truncated" in message(written(data[: int(len(data) * share)], name))


@pytest.mark.parametrize("share", [0.4, 0.97])
def test_truncated_16_bit_files_are_rejected(written, png16, tiff, share):
    noise = np.random.default_rng(0).integers(0, 65536, (60, 60, 3), dtype=np.uint16)
    pnm = b"P6 60 60 65535\n" + noise.astype(">u2").tobytes()
    for data in (png16(noise), png16(noise[..., 0]), tiff(noise), tiff(noise[..., 0]), pnm):
        assert "truncated" in message(written(data[: int(len(data) * share)]))


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "jpeg"])
def test_truncated_compressed_tiffs_are_rejected(saved, written, compression):
    noise = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    data = saved(Image.fromarray(noise), "a.tif", compression=compression).read_bytes()
    assert "truncated" in message(written(data[: len(data) // 2]))


@pytest.mark.parametrize(
    "data", [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"BM", b"II*\0", b"MM\0*", b"GIF89a", b"P5"]
)
def test_files_that_end_after_the_signature_are_rejected(written, data):
    assert "truncated" in message(written(data))


@pytest.mark.parametrize("data", [b"not an image\n", b"\x89PNG", b"P7\n", b"RIFF0000WAVE", b"\0"])
def test_other_file_types_are_rejected(written, data):
    assert "not an image in a supported format (PNG, JPEG" in message(written(data))


def test_empty_and_missing_files_and_folders_are_rejected(written, tmp_path):
    assert message(written(b"")) == "The file is empty (0 bytes); copy or export it again."
    assert "The file was not found" in message(tmp_path / "gone.png")
    (tmp_path / "folder.png").mkdir()
    assert "This is a folder" in message(tmp_path / "folder.png")


def test_images_above_the_pixel_limit_are_rejected(saved):
    path = saved(Image.new("1", (300, 200)))
    text = message(path, max_pixels=59_999)
    assert "300 x 200 = 60,000 pixels, more than the limit of 59,999" in text
    assert "raise `max_pixels`" in text
    assert decode(path, max_pixels=60_000).pixels.shape == (200, 300, 3)


@pytest.mark.parametrize("size", [(2**31 - 1, 2**31 - 1), (100_000, 3000)])
def test_decompression_bombs_are_rejected_before_decoding(written, png16, size):
    small = png16(np.zeros((1, 1), np.uint16))
    header = small[12:16] + struct.pack(">II", *size) + small[24:29]
    png = small[:12] + header + struct.pack(">I", zlib.crc32(header)) + small[33:]
    assert "more than the limit" in message(written(png, "a.png"))
    assert "more than the limit" in message(written(b"P5 %d %d 65535\n" % size, "a.pgm"))


def test_the_pixel_limit_replaces_pillows_own(saved, monkeypatch):
    path = saved(Image.new("L", (300, 200)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert decode(path).pixels.shape == (200, 300, 3)
    assert Image.MAX_IMAGE_PIXELS == 100
    assert DEFAULT_MAX_PIXELS == 200_000_000


def test_corrupt_16_bit_animation_does_not_crash_the_process(written, png16):
    """OpenCV 5.0 crashes if it is given the file as it is."""
    control = (b"acTL", struct.pack(">II", 2, 0))
    values = np.arange(5 * 8 * 4, dtype=np.uint16).reshape(5, 8, 4) * 400
    whole = png16(values, control)
    frame = struct.pack(">IIIIIHHBB", 1, 8, 5, 0, 0, 1, 10, 0, 0)
    damaged = whole[:-12] + _chunk(b"fcTL", frame) + _chunk(b"fdAT", b"\0\0\0\2junk") + whole[-12:]
    try:
        assert decode(written(damaged)).pixels.shape == (5, 8, 3)
    except ImageError as error:
        assert "corrupt" in str(error)


def _chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_randomly_damaged_files_give_pixels_or_an_image_error(tmp_path, saved, png16, tiff):
    rng = random.Random(5)
    noise = colour_picture(30, 20)
    originals = [
        saved(Image.fromarray(noise), f"original.{extension}").read_bytes()
        for extension in ("png", "jpg", "bmp", "tif", "webp", "gif", "ppm")
    ]
    originals += [png16(noise.astype(np.uint16) * 99), tiff(noise.astype(np.uint16) * 99)]
    originals += [tiff(noise[..., 0].astype("f4")), b"P5 20 30 4095\n" + noise[..., :2].tobytes()]
    frames = [Image.fromarray(colour_picture(30, 20, seed)) for seed in range(3)]
    for name in ("pages.tif", "frames.gif", "frames.png"):
        path = saved(frames[0], name, save_all=True, append_images=frames[1:])
        originals.append(path.read_bytes())
    outcomes = set()
    for number in range(1000):
        path = tmp_path / str(number)  # overwriting one file would wait for the disk each time
        path.write_bytes(_damaged(rng.choice(originals), rng))
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


def _damaged(original, rng):
    data = bytearray(original)
    if rng.random() < 0.3:
        del data[rng.randrange(len(data)) :]
        return data
    for _ in range(rng.choice((1, 4, 30))):
        reach = min(len(data), rng.choice((40, 400, 10**6)))
        data[rng.randrange(reach)] = rng.randrange(256)
    return data


def test_decoding_in_several_threads_gives_the_same_pixels(saved, png16, written):
    paths = [
        saved(Image.fromarray(colour_picture(seed=1)), "a.jpg"),
        saved(Image.fromarray(colour_picture(seed=2)).convert("RGBA"), "b.png"),
        saved(Image.fromarray(colour_picture(seed=3)), "c.tif"),
        written(png16(colour_picture().astype(np.uint16) * 50), "d.png"),
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


def test_pillows_warnings_are_not_printed(saved):
    """Damaged metadata makes Pillow warn, and the output would break a progress bar."""
    path = saved(Image.fromarray(colour_picture()), "a.tif", artist="x" * 50)
    right, wrong = (struct.pack("<HHI", 315, 2, length) for length in (51, 20_000))
    path.write_bytes(path.read_bytes().replace(right, wrong))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        decode(path)
    assert caught, "the file must be one that Pillow warns about"
    code = (
        "import sys; from pathlib import Path; from moeclip_cli.images.decode import decode;"
        "print(decode(Path(sys.argv[1])).pixels.shape)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert done.stdout == "(40, 60, 3)\n"
    assert done.stderr == ""


def test_import_leaves_warning_filters_and_loggers_alone():
    code = (
        "import logging, warnings, cv2, numpy, PIL.Image; before = [*warnings.filters];"
        "import moeclip_cli.images.decode;"
        "print(before == warnings.filters, logging.getLogger('PIL').handlers)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "True []\n"


def test_other_warnings_and_loggers_are_unaffected():
    decode(colour_picture())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning):
            warnings.warn("mine", stacklevel=1)
    assert not logging.getLogger("PIL").disabled
    assert logging.getLogger("PIL").propagate
