from __future__ import annotations

from pathlib import Path

import pytest

from moeclip_cli.errors import UsageError
from moeclip_cli.evaluation.shots import FewShot, draw

IMAGES = [Path(f"/data/bottle/train/good/{number:03d}.png") for number in range(12)]

RECORDED = [["010", "011", "006"], ["008", "002", "009"]]


def test_a_draw_with_fewer_shots_is_part_of_the_same_draw_with_more():
    drawn = draw(IMAGES, "bottle", FewShot((1, 2, 4), 3))
    assert drawn.shots == (1, 2, 4)
    assert [len(order) for order in drawn.orders] == [4, 4, 4]
    for one, two in zip(drawn.references(1), drawn.references(2), strict=True):
        assert two[:1] == one
        assert len(set(two)) == 2
    more = draw(IMAGES, "bottle", FewShot((1, 8), 5))
    assert more.references(8)[0][:4] == drawn.references(4)[0]


def test_draws_differ_from_each_other_and_by_category():
    drawn = draw(IMAGES, "bottle", FewShot((4,), 5))
    assert len(set(drawn.orders)) == 5
    assert draw(IMAGES, "cable", FewShot((4,), 5)).orders != drawn.orders


def test_draws_are_the_same_on_every_machine():
    """Recorded names: neither the folder of the data nor the order of the files counts."""
    elsewhere = [Path("D:/x") / path.name for path in reversed(IMAGES)]
    for images in (IMAGES, elsewhere):
        drawn = draw(images, "bottle", FewShot((3,), 2))
        assert [[path.stem for path in order] for order in drawn.orders] == RECORDED


def test_numbers_of_shots_beyond_the_images_are_left_out():
    drawn = draw(IMAGES[:3], "bottle", FewShot((1, 2, 4, 8), 2))
    assert drawn.shots == (1, 2)
    assert all(set(order) <= set(IMAGES[:3]) for order in drawn.orders)


@pytest.mark.parametrize("shots", [(), (0, 1), (2, 1), (1, 1)])
def test_impossible_numbers_are_refused(shots):
    with pytest.raises(UsageError, match="`shots` takes ascending numbers"):
        FewShot(shots, 5)
