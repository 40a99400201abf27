import numpy as np
import pytest
from PIL import Image

from moeclip_cli.errors import ImageError
from moeclip_cli.images.tiff import read_tiff_header


def header_of(path):
    with path.open("rb") as stream:
        return read_tiff_header(stream)


@pytest.fixture
def header(tmp_path, tiff):
    def read(values, cut=0, **options):
        data = tiff(values, **options)
        (tmp_path / "a.tif").write_bytes(data[: len(data) - cut])
        return header_of(tmp_path / "a.tif")

    return read


def test_size_and_channels(header):
    result = header(np.zeros((3, 5, 4), np.uint16))
    assert (result.width, result.height, result.channels, result.bits) == (5, 3, 4, 16)
    assert result.unsigned
    assert result.alpha
    assert result.complete
    assert not (result.floating or result.planar or result.compressed or result.more_pages)


@pytest.mark.parametrize(
    ("shape", "dtype", "expected"),
    [
        ((2, 2), "u1", False),
        ((2, 2, 3), "u1", False),
        ((2, 2), "u2", False),
        ((2, 2), "f4", False),
        ((2, 2, 3), "u2", True),
        ((2, 2, 3), "f4", True),
        ((2, 2), "f8", True),
    ],
)
def test_values_beyond_pillow_need_opencv(header, shape, dtype, expected):
    assert header(np.zeros(shape, dtype)).needs_opencv is expected


def test_16_bit_cmyk_is_left_to_pillow(header):
    assert not header(np.zeros((2, 2, 4), np.uint16), tag_262=5).needs_opencv


@pytest.mark.parametrize(("extra", "alpha"), [(0, False), (1, True), (2, True)])
def test_meaning_of_the_fourth_channel(header, extra, alpha):
    assert header(np.zeros((2, 2, 4), np.uint16), tag_338=extra).alpha is alpha


def test_several_pages_and_compression(tmp_path):
    path = tmp_path / "a.tif"
    pages = [Image.new("RGB", (40, 40)) for _ in range(2)]
    pages[0].save(path, save_all=True, append_images=pages[1:], compression="tiff_lzw")
    assert header_of(path).more_pages
    assert header_of(path).compressed


def test_big_tiff(tmp_path):
    path = tmp_path / "a.tif"
    Image.new("L", (7, 6)).save(path, big_tiff=True)
    if path.read_bytes()[2] != 43:
        pytest.skip("this version of Pillow cannot write BigTIFF")
    assert (header_of(path).width, header_of(path).height) == (7, 6)


@pytest.mark.parametrize("compression", [5, 8])
def test_compressed_pixels_beyond_the_end_of_the_file_are_rejected(header, compression):
    result = header(np.zeros((4, 4), np.uint8), tag_259=compression, tag_279=60_000)
    assert not result.complete
    with pytest.raises(ImageError, match="truncated"):
        result.require_readable()


def test_wrong_byte_count_of_uncompressed_pixels_is_left_to_pillow(header):
    result = header(np.zeros((4, 4), np.uint8), tag_279=60_000)
    assert not result.complete
    result.require_readable()


@pytest.mark.parametrize(
    ("shape", "dtype", "options", "words"),
    [
        ((2, 2), "f2", {}, "pixels of 1 x 16-bit floating-point numbers"),
        ((2, 2, 3), "u2", {"planar": True}, "separate planes of 3 x 16-bit integers"),
        ((2, 2, 2), "u2", {}, "pixels of 2 x 16-bit integers"),
        ((2, 2, 7), "u2", {}, "pixels of 7 x 16-bit integers"),
    ],
)
def test_variants_that_would_be_misread_are_rejected(header, shape, dtype, options, words):
    with pytest.raises(ImageError, match=words):
        header(np.zeros(shape, dtype), **options).require_readable()


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "u4", "i4", "f4", "f8"])
@pytest.mark.parametrize("shape", [(2, 2), (2, 2, 3)])
def test_other_variants_are_accepted(header, shape, dtype):
    header(np.zeros(shape, dtype)).require_readable()
