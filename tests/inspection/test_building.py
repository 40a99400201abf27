from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from moeclip_cli import Inspector
from moeclip_cli.errors import UsageError
from moeclip_cli.inspection import building
from moeclip_cli.inspection.building import build_references
from moeclip_cli.model.bank import COMPARED_PATCHES

SIDE = 112
CPU = torch.device("cpu")
SHAPES = [(60, 60), (40, 80), (60, 60), (80, 40), (40, 80), (50, 60), (40, 80)]


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(0)
    return [
        np.kron(rng.integers(0, 255, (h // 10, w // 10, 3)), np.ones((10, 10, 1))).astype(np.uint8)
        for h, w in SHAPES
    ]


@pytest.fixture(scope="module")
def network(pictures):
    inspector = Inspector.load(references=pictures[:1], image_size=SIDE, device="cpu")
    return inspector.model.network


@pytest.mark.parametrize(("rotations", "keep"), [(1, None), (1, 16), (3, None), (3, 16)])
def test_references_seen_in_batches_equal_those_seen_alone(pictures, network, rotations, keep):
    options = {"device": CPU, "rotations": rotations, "keep": keep}
    together = build_references(network, pictures, **options)
    alone = build_references(network, pictures[:1], **options)
    for picture in pictures[1:]:
        alone = alone.joined(build_references(network, [picture], **options))

    assert together.digests == alone.digests
    assert together.names == tuple(f"image {number}" for number in range(1, 8))
    assert torch.equal(together.bank.owners, alone.bank.owners)
    for one, other in zip(together.bank.levels, alone.bank.levels, strict=True):
        torch.testing.assert_close(one, other, atol=2e-3, rtol=0)


@pytest.mark.parametrize(("rotations", "keep"), [(1, None), (1, 16), (2, None)])
def test_scores_are_those_of_each_reference_against_the_others(pictures, network, rotations, keep):
    found = build_references(network, pictures, device=CPU, rotations=rotations, keep=keep)
    for number in (0, 3, 6):
        others = [picture for other, picture in enumerate(pictures) if other != number]
        inspector = Inspector.load(
            references=others, image_size=SIDE, device="cpu",
            reference_rotations=rotations, reference_patches=keep,
        )  # fmt: skip
        (result,) = inspector.score(pictures[number])
        assert found.scores[number] == pytest.approx(result.score, abs=1e-5)


def test_pieces_of_the_bank_are_joined_in_order(pictures, network, monkeypatch):
    expected = build_references(network, pictures, device=CPU)
    monkeypatch.setattr(building, "_PIECE", 150 * 384)
    found = build_references(network, pictures, device=CPU)
    assert torch.equal(found.bank.owners, expected.bank.owners)
    for one, other in zip(found.bank.levels, expected.bank.levels, strict=True):
        assert torch.equal(one, other)
    assert found.scores == expected.scores


def test_copies_among_images_read_ahead_count_once(pictures, network):
    found = build_references(network, [*pictures, *pictures], device=CPU)
    assert len(found.names) == len(pictures)
    more = build_references(network, pictures, device=CPU, earlier=None)
    with pytest.raises(UsageError, match="are references already"):
        build_references(network, pictures[:2], device=CPU, earlier=more)


def test_the_first_unreadable_reference_is_named(pictures, network, tmp_path):
    for name in ("b.png", "a.png"):
        (tmp_path / name).write_bytes(b"")
    Image.fromarray(pictures[0]).save(tmp_path / "good.png")
    paths = [tmp_path / name for name in ("good.png", "b.png", "a.png")]
    with pytest.raises(UsageError, match=r"reference .*b\.png cannot be read"):
        build_references(network, paths, device=CPU)


def test_a_part_of_the_patches_is_compared_with(pictures):
    inspector = Inspector.load(references=pictures[:2], image_size=252, device="cpu")
    assert inspector.references.bank.counts() == [COMPARED_PATCHES] * 2
    whole = Inspector.load(
        references=pictures[:2], image_size=252, device="cpu", reference_patches=None
    )
    assert whole.references.bank.counts()[0] == 18 * 18
