from __future__ import annotations

import numpy as np
import pytest
from support.samples import save_image

from moeclip_cli import Inspector
from moeclip_cli.inspection.references import Subsets
from moeclip_cli.inspection.subset_results import compact, subset_result


@pytest.fixture
def images(tmp_path):
    paths = [tmp_path / f"{number}.png" for number in range(6)]
    for number, path in enumerate(paths):
        save_image(path, seed=number, width=70, height=70)
    return paths


def load(inspector, references):
    return Inspector(inspector.model, device="cpu", references=references, reference_rotations=2)


def test_a_subset_scores_like_an_inspector_with_these_references(inspector, images):
    good, tested = images[:3], images[3:]
    subsets = ((good[2],), (good[0], good[2]), tuple(good))
    results = list(load(inspector, Subsets(subsets)).score(tested, batch_size=2))
    for number, subset in enumerate(subsets):
        alone = load(inspector, subset)
        for result, expected in zip(results, alone.score(tested), strict=True):
            found = subset_result(compact(result), number, alone.map_size(70, 70), alone.domain)
            assert found.score == pytest.approx(expected.score, abs=1e-6)
            assert found.image_score == pytest.approx(expected.image_score, abs=1e-6)
            np.testing.assert_allclose(found.probability, expected.probability, atol=1e-6)
            np.testing.assert_allclose(found.raw_map, expected.raw_map, atol=1e-6)


def test_copies_count_once_and_an_image_is_not_compared_with_itself(inspector, images, tmp_path):
    copy = tmp_path / "copy.png"
    copy.write_bytes(images[0].read_bytes())
    subsets = ((images[0], images[1]), (copy, images[1]), (images[1],), (images[2], images[1]))
    compared = load(inspector, Subsets(subsets))
    assert compared.references.subsets == ((0, 1), (0, 1), (1,), (1, 2))
    (itself,) = compared.score(images[0])
    assert itself.distances.shape[0] == len(subsets)
    np.testing.assert_allclose(itself.distances[0], itself.distances[2], atol=1e-6)
    (alone,) = compared.score(images[1])
    assert alone.error == "This image is the only reference of a draw."


def test_without_subsets_there_are_no_distances(inspector, images):
    (result,) = load(inspector, images[:2]).score(images[3])
    assert result.distances is None
    with pytest.raises(ValueError, match="subsets"):
        subset_result(result, 0, (70, 70), "industrial")
