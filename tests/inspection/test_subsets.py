from __future__ import annotations

import pytest

from moeclip_cli.inspection.subsets import subsets


@pytest.mark.parametrize("images", [2, 199, 200, 201, 401, 1000, 1999])
def test_every_image_is_in_one_subset_of_about_the_same_size(images):
    found = subsets(images)
    assert sorted(number for part in found for number in part) == list(range(images))
    sizes = [len(part) for part in found]
    assert max(sizes) <= 200
    assert min(sizes) >= 2
    assert max(sizes) - min(sizes) <= 1
    assert len(found) == -(-images // 200)


def test_subsets_are_random_but_always_the_same():
    assert subsets(400) == subsets(400)
    assert subsets(400)[0] != list(range(200))
    assert all(part == sorted(part) for part in subsets(400))
