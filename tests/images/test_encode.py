from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from moeclip_cli.errors import ImageError, UsageError
from moeclip_cli.images.encode import picture_suffix, save_picture


def test_png_is_lossless(tmp_path: Path, picture: NDArray[np.uint8]) -> None:
    path = tmp_path / "部品" / "ü" / "x.png"
    save_picture(path, picture)
    with Image.open(path) as image:
        assert (image.format, image.mode) == ("PNG", "RGB")
        assert (np.asarray(image) == picture).all()
    assert list(path.parent.iterdir()) == [path]


def test_jpeg_is_close_and_smaller_at_lower_quality(
    tmp_path: Path, picture: NDArray[np.uint8]
) -> None:
    for quality in (30, 95):
        save_picture(tmp_path / f"{quality}.jpg", picture, "jpeg", quality)
    with Image.open(tmp_path / "95.jpg") as image:
        assert image.format == "JPEG"
        assert np.abs(np.asarray(image).astype(int) - picture).max() < 12
    assert (tmp_path / "30.jpg").stat().st_size < (tmp_path / "95.jpg").stat().st_size


def test_an_existing_file_is_replaced(tmp_path: Path, picture: NDArray[np.uint8]) -> None:
    save_picture(tmp_path / "x.png", picture)
    save_picture(tmp_path / "x.png", picture[:7, :5])
    with Image.open(tmp_path / "x.png") as image:
        assert image.size == (5, 7)


def test_picture_too_large_for_jpeg(tmp_path: Path) -> None:
    long = np.zeros((1, 65_501, 3), np.uint8)
    with pytest.raises(ImageError, match="65501 x 1 pixels is too large for JPEG; save it as PNG"):
        save_picture(tmp_path / "x.jpg", long, "jpeg")
    save_picture(tmp_path / "x.jpg", long[:, 1:], "jpeg")
    save_picture(tmp_path / "x.png", long)


def test_picture_too_large_for_png(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="1000001 x 1 pixels could not be encoded as PNG"):
        save_picture(tmp_path / "x.png", np.zeros((1, 1_000_001, 3), np.uint8))


def test_file_in_place_of_a_folder(tmp_path: Path, picture: NDArray[np.uint8]) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(UsageError, match=r"Cannot write .*x\.png: part of its path is a file"):
        save_picture(tmp_path / "out" / "x.png", picture)


def test_suffixes() -> None:
    assert (picture_suffix("png"), picture_suffix("jpeg")) == (".png", ".jpg")
    with pytest.raises(UsageError, match='Unknown picture format "webp"; use png or jpeg'):
        picture_suffix("webp")  # type: ignore[arg-type]
