import numpy as np
import pytest

from moeclip_cli.pictures.colours import UNDER_COLOURS, ColourScale
from moeclip_cli.pictures.legend import BACKGROUND, draw_legend


@pytest.mark.parametrize("threshold", [0.01, 0.5, 0.99])
@pytest.mark.parametrize("size", [11, 88])
def test_text_stays_inside_the_panel(threshold: float, size: int) -> None:
    panel = draw_legend(ColourScale(threshold), "anomalous: 0.873", size)
    border = np.concatenate([panel[0], panel[-1], panel[:, 0], panel[:, -1]])
    assert (border == BACKGROUND).all()
    assert (panel > 170).all(axis=-1).sum() > size * size


def test_the_panel_grows_with_the_text() -> None:
    small, large = (draw_legend(ColourScale(0.5), "x", size).shape for size in (20, 40))
    assert np.allclose(np.array(large[:2]) / small[:2], 2, atol=0.1)


def test_the_bar_has_the_colours_of_the_scale() -> None:
    scale = ColourScale(0.5)
    panel = draw_legend(scale, "", 40)
    grey = np.full((1, 1, 3), UNDER_COLOURS, np.uint8)
    for value in (0.0, 1.0):
        colour = scale.paint(grey, np.full((1, 1), value))[0, 0]
        assert (panel == colour).all(axis=-1).sum() > 20


def test_the_panel_fits_its_caption() -> None:
    scale = ColourScale(0.5)
    without, short, long = (draw_legend(scale, text, 20).shape for text in ("", "w", "w" * 60))
    assert without[0] < short[0] == long[0]
    assert short[1] < long[1]
