import numpy as np
import pytest
from numpy.typing import NDArray

from moeclip_cli.pictures.experts import expert_colours, render_experts, shares


def test_shares_are_fractions_of_the_patches() -> None:
    choice = np.array([[0, 0, 0], [2, 2, 0], [1, 0, 0]])
    assert shares(choice, 4) == pytest.approx([6 / 9, 1 / 9, 2 / 9, 0.0])


@pytest.mark.parametrize("experts", [1, 4, 8, 28])
def test_experts_have_distinct_colours(experts: int) -> None:
    colours = expert_colours(experts)
    assert colours.shape == (experts, 3)
    assert len(np.unique(colours, axis=0)) == experts


def test_each_patch_has_the_colour_of_its_expert() -> None:
    pixels = np.full((320, 320, 3), 128, np.uint8)
    drawn = render_experts(pixels, np.array([[0, 1], [2, 3]]), 4, layer=12).astype(int)
    centres = [drawn[80, 80], drawn[80, 240], drawn[240, 80], drawn[240, 240]]
    for expert, centre in enumerate(centres):
        distances = np.abs(expert_colours(4).astype(int) - centre).sum(axis=-1)
        assert distances.argmin() == expert
    assert (drawn[:160, :160] == centres[0]).all()


def test_the_picture_is_visible_under_the_colours(picture: NDArray[np.uint8]) -> None:
    drawn = render_experts(picture, np.zeros((37, 37), int), 4, layer=6)
    brightness = picture.mean(axis=-1).ravel()
    assert np.corrcoef(brightness, drawn[:300, :400].mean(axis=-1).ravel())[0, 1] > 0.99


@pytest.mark.parametrize("experts", [1, 4, 16])
@pytest.mark.parametrize("shape", [(1, 1), (900, 2), (2, 900), (40, 60)])
def test_the_legend_is_complete_at_any_size(shape: tuple[int, int], experts: int) -> None:
    pixels = np.zeros((*shape, 3), np.uint8)
    drawn = render_experts(pixels, np.zeros((5, 5), int), experts, layer=24)
    for colour in expert_colours(experts):
        assert (drawn == colour).all(axis=-1).sum() >= 100
    assert (drawn[-1] == drawn[-1, 0]).all()
    assert (drawn[1:, -1] < 250).any(axis=-1).all()
