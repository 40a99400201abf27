from __future__ import annotations

import numpy as np
import pytest
import torch
from reference_distances import left_out_scores, nearest, scores

from moeclip_cli.model.bank import PatchBank, image_score, units

LEVELS, PATCHES, WIDTH = 2, 30, 8


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(0)
    return [units(torch.randn(LEVELS, PATCHES, WIDTH, generator=generator)) for _ in range(14)]


def by_bank(references, image, without=None):
    bank = PatchBank.of([list(reference) for reference in references])
    return image_score(bank.distances([level[None] for level in image], without)).item()


def test_minima_over_candidates_are_the_scores_of_a_bank(images):
    candidates, tested = images[:10], images[10:]
    distances = torch.stack([nearest(image, candidates) for image in tested])
    chosen = [7, 2, 9]
    expected = [by_bank([candidates[i] for i in chosen], image) for image in tested]
    np.testing.assert_allclose(scores(distances, chosen), expected, atol=1e-5)


def test_candidates_are_left_out_like_references(images):
    candidates = images[:10]
    distances = torch.stack([nearest(image, candidates) for image in candidates])
    chosen = [7, 2, 9]
    bank = [candidates[i] for i in chosen]
    expected = [
        by_bank(bank, candidates[i], torch.tensor([number])) for number, i in enumerate(chosen)
    ]
    np.testing.assert_allclose(left_out_scores(distances, chosen), expected, atol=1e-5)
