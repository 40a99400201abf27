import io

import numpy as np
import pytest
from rich.console import Console

from moeclip_cli.cli.preview import preview


def printed(pixels: np.ndarray, width: int, height: int, **console: object) -> str:
    stream = io.StringIO()
    Console(file=stream, width=200, **console).print(preview(pixels, width, height), end="")  # type: ignore[arg-type]
    return stream.getvalue()


def test_a_cell_shows_two_pixels_in_true_colour() -> None:
    pixels = np.array([[[255, 0, 0]], [[0, 0, 255]]], np.uint8)
    drawn = printed(
        pixels, 1, 1, force_terminal=True, color_system="truecolor", legacy_windows=False
    )
    assert drawn == "\x1b[38;2;255;0;0;48;2;0;0;255m▀\x1b[0m\n"


@pytest.mark.parametrize(
    ("shape", "columns", "lines"),
    [((400, 400), 40, 20), ((400, 800), 60, 15), ((4000, 400), 4, 20), ((1, 5000), 60, 1)],
)
def test_it_keeps_the_proportions_and_fits(
    shape: tuple[int, int], columns: int, lines: int
) -> None:
    drawn = printed(np.zeros((*shape, 3), np.uint8), 60, 20).splitlines()
    assert len(drawn) == lines
    assert {len(line) for line in drawn} == {columns}


def test_a_tall_thin_picture_has_a_column() -> None:
    assert len(printed(np.zeros((5000, 1, 3), np.uint8), 60, 20).splitlines()) == 20
