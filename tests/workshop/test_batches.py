import numpy as np
import pytest
import torch
from mini import Phase, Recipe
from mini.batches import PairBatches, normalise, patch_targets

from moeclip_cli.images.preprocess import preprocess
from moeclip_cli.model.backbones.mini import MINI


def test_a_batch_depends_on_seed_and_number_only():
    phase = Phase(1.0, (80,), 2)

    first, second = (PairBatches(Recipe(seed=3), phase)[5] for _ in range(2))
    other_number, other_seed = (
        PairBatches(Recipe(seed=3), phase)[6],
        PairBatches(Recipe(), phase)[5],
    )

    assert torch.equal(first.images, second.images) and torch.equal(first.target, second.target)
    assert not torch.equal(first.images, other_number.images)
    assert not torch.equal(first.images, other_seed.images)


def test_a_patch_is_anomalous_if_it_is_sufficiently_covered():
    area = torch.zeros(1, 80, 80)
    area[0, :16, :16] = 1  # the first patch
    area[0, 0, 16:18] = 1  # two pixels of the second

    target, weight = patch_targets(area)

    assert target[0].nonzero().flatten().tolist() == [0]
    assert weight[0, :3].tolist() == [1, 0, 1]


def test_a_tiny_defect_has_one_anomalous_patch():
    area = torch.zeros(2, 80, 80)
    area[0, 20, 20:23] = 1

    target, _ = patch_targets(area)

    assert target.sum(1).tolist() == [1, 0]


def test_the_weight_of_a_large_defect_is_limited():
    area = torch.zeros(2, 160, 160)
    area[0] = 1
    area[1, :16, :16] = 1

    target, weight = patch_targets(area)

    assert (target * weight).sum(1).tolist() == pytest.approx([32, 1])
    assert weight[1, 50:].eq(1).all()


def test_images_are_normalised_as_by_the_inspector():
    pixels = np.random.default_rng(0).integers(0, 256, (80, 80, 3), dtype=np.uint8)

    normalised = normalise(
        torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None], MINI.preprocessing
    )[0]

    expected = preprocess(pixels, 80, MINI.preprocessing)
    torch.testing.assert_close(normalised, expected, atol=1e-5, rtol=1e-5)
