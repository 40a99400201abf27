from __future__ import annotations

import pytest
from support.samples import save_image


@pytest.fixture
def images(tmp_path):
    """A folder of ten images, the fifth of which is corrupt."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(10):
        save_image(folder / f"{number}.png", seed=number, width=60 + number, height=70)
    (folder / "4.png").write_bytes(b"\x89PNG\r\n\x1a\n corrupt")
    return folder
