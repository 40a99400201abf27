import sys

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.uid import JPEGLSLossless
from support.dicom_files import dicom_file, window_item

from moeclip_cli.discovery.places import Page
from moeclip_cli.errors import ImageError
from moeclip_cli.images.decode import decode, decode_mask

RAMP = np.arange(0, 4000, 10, dtype=np.int16).reshape(20, 20) - 1000


@pytest.fixture
def dicom(tmp_path):
    def write(values, name="a.dcm", **elements):
        path = tmp_path / name
        path.write_bytes(dicom_file(values, **elements))
        return path

    return write


def test_the_window_of_the_file_is_applied_after_its_scale(dicom):
    # Stored values of a CT are Hounsfield units after the slope and the intercept.
    path = dicom(RAMP, WindowCenter=40, WindowWidth=400, RescaleSlope=2, RescaleIntercept=100)
    decoded = decode(path)
    units = RAMP.astype(float) * 2 + 100
    expected = np.clip((units - 39.5) / 399 + 0.5, 0, 1) * 255  # PS3.3 C.11.2.1.2.1
    assert decoded.pixels.shape == (20, 20, 3)
    assert np.abs(decoded.pixels[..., 0] - expected).max() <= 1
    assert decoded.notes == ("window of the file: centre 40, width 400",)


def test_the_first_of_several_windows_is_used(dicom):
    decoded = decode(dicom(RAMP, WindowCenter=[40, 500], WindowWidth=[400, 2000]))
    assert decoded.notes == ("window of the file: centre 40, width 400",)


def test_a_table_of_the_file_comes_before_its_window(dicom):
    item = Dataset()
    item.LUTDescriptor = [4, 0, 8]
    item.LUTData = np.array([0, 100, 200, 255], dtype="<u2").tobytes()
    values = np.array([[0, 1], [2, 3]], dtype=np.uint8)
    decoded = decode(dicom(values, VOILUTSequence=[item], WindowCenter=1, WindowWidth=1))
    assert decoded.pixels[..., 0].tolist() == [[0, 100], [200, 255]]
    assert decoded.notes == ("VOI LUT of the file",)


def test_monochrome1_is_inverted(dicom):
    values = np.array([[0, 50], [200, 255]], dtype=np.uint8)
    path = dicom(values, PhotometricInterpretation="MONOCHROME1")
    assert decode(path).pixels[..., 0].tolist() == [[255, 205], [55, 0]]
    assert decode(path).notes == ("stored inverted (MONOCHROME1)",)


def test_without_a_window_values_are_scaled_like_those_of_other_files(dicom):
    assert decode(dicom(RAMP)).notes == ("values -1000 to 2990 scaled to 8 bits",)
    grey = np.arange(100, dtype=np.uint8).reshape(10, 10)
    assert np.array_equal(decode(dicom(grey)).pixels[..., 0], grey)


def test_colour(dicom):
    picture = np.random.default_rng(0).integers(0, 255, (8, 9, 3), dtype=np.uint8)
    assert np.array_equal(decode(dicom(picture)).pixels, picture)


def test_frames(dicom):
    frames = np.stack([np.full((6, 8), 50 * number, dtype=np.uint8) for number in range(4)])
    path = dicom(frames)
    assert decode(path).pixels.max() == 0
    assert decode(path).notes == ("first of 4 frames",)
    assert decode(Page(path, 3)).pixels.min() == 100
    assert decode(Page(path, 3)).notes == ()
    with pytest.raises(ImageError, match="has no frame 5, but 4 only"):
        decode(Page(path, 5))


def test_the_windows_of_frames(dicom):
    frames = np.stack([RAMP, RAMP])
    groups = [window_item(0, 100), window_item(500, 1000)]
    path = dicom(frames, PerFrameFunctionalGroupsSequence=groups)
    assert decode(Page(path, 2)).notes == ("window of the file: centre 500, width 1000",)
    shared = dicom(frames, "b.dcm", SharedFunctionalGroupsSequence=groups[:1])
    assert decode(shared).notes[1] == "window of the file: centre 0, width 100"


def test_other_extensions(dicom):
    assert decode(dicom(RAMP, "IM0001")).pixels.shape == (20, 20, 3)


def test_what_cannot_be_read_is_one_sentence(dicom, monkeypatch, tmp_path):
    with pytest.raises(ImageError, match=r"JPEG-LS Lossless.*run: pip install python-gdcm"):
        decode(dicom(RAMP, syntax=JPEGLSLossless))
    with pytest.raises(ImageError, match=r"400 pixels, more than the limit"):
        decode(dicom(RAMP), max_pixels=100)
    with pytest.raises(ImageError, match="A mask cannot be a DICOM file"):
        decode_mask(dicom(RAMP))
    content = dicom(RAMP).read_bytes()
    (tmp_path / "cut.dcm").write_bytes(content[:-300])
    with pytest.raises(ImageError, match="corrupt, truncated"):
        decode(tmp_path / "cut.dcm")
    (tmp_path / "bad.dcm").write_bytes(bytes(128) + b"DICM" + bytes(50))
    with pytest.raises(ImageError, match=r"corrupt, truncated|contains no image"):
        decode(tmp_path / "bad.dcm")
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(ImageError, match=r'pip install "moeclip\[dicom\]"'):
        decode(dicom_path(tmp_path, content))


def dicom_path(folder, content):
    path = folder / "whole.dcm"
    path.write_bytes(content)
    return path
