"""Files for the tests of decoding."""

import pytest


@pytest.fixture
def saved(tmp_path):
    """Save a Pillow image and return the path: saved(image, "a.png", **options)."""

    def save(image, name="image.png", **options):
        path = tmp_path / name
        image.save(path, **options)
        return path

    return save


@pytest.fixture
def written(tmp_path):
    """Write bytes and return the path: written(b"...", "a.png")."""

    def write(data, name="image.png"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write
