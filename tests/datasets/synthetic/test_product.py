from __future__ import annotations

import numpy as np
import pytest

from moeclip_cli.datasets.synthetic import COMMON_KINDS
from moeclip_cli.datasets.synthetic.product import defective, photograph, views_of

SIDE = 96


@pytest.fixture(params=["board", "bracket", "knit"])
def view(request):
    return views_of(np.random.default_rng(3), SIDE, request.param)


def test_images_of_a_product_differ_in_position_and_light_only(view, request):
    rng = np.random.default_rng(0)
    one, other = (photograph(view(rng), rng) for _ in range(2))
    assert one.shape == (SIDE, SIDE, 3)
    assert one.dtype == np.uint8
    assert not np.array_equal(one, other)
    stranger = photograph(
        views_of(np.random.default_rng(4), SIDE, request.node.callspec.params["view"])(rng), rng
    )
    colours = [image.reshape(-1, 3).mean(axis=0) for image in (one, other, stranger)]
    assert np.abs(colours[0] - colours[1]).max() < np.abs(colours[0] - colours[2]).max()


def test_a_defect_is_on_the_product(view):
    for seed in range(5):
        scene = view(np.random.default_rng(seed))
        pixels, mask, kind = defective(view, np.random.default_rng(seed))
        assert kind in COMMON_KINDS
        assert pixels.shape == (SIDE, SIDE, 3)
        assert mask.any()
        assert (mask & scene.foreground).any()


def test_the_same_seed_gives_the_same_product():
    one, other = (
        photograph(views_of(np.random.default_rng(7), SIDE, "gear")(np.random.default_rng(1)), rng)
        for rng in (np.random.default_rng(2), np.random.default_rng(2))
    )
    assert np.array_equal(one, other)
