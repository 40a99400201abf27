from __future__ import annotations

from pathlib import Path

import pytest

from moeclip_cli.discovery.inputs import ImageRef
from moeclip_cli.runs.batches import batches

REFS = [ImageRef(Path(f"parts/{number:04d}.png"), f"{number:04d}.png") for number in range(3000)]


@pytest.mark.parametrize("size", [1, 4, 32])
def test_every_image_is_in_one_batch_and_most_batches_are_full(size):
    cut = list(batches(REFS, size))
    assert [ref for batch in cut for ref in batch] == REFS
    assert max(map(len, cut)) == size
    assert len(REFS) / len(cut) > 0.85 * size


@pytest.mark.parametrize("place", [0, 1000, 2000])
def test_an_added_image_changes_only_the_batches_around_it(place):
    before = {tuple(batch) for batch in batches(REFS, 4)}
    added = ImageRef(Path("parts/new.png"), "new.png")
    after = {tuple(batch) for batch in batches([*REFS[:place], added, *REFS[place:]], 4)}
    changed = after - before
    assert any(added in batch for batch in changed)
    assert sum(map(len, changed)) < 200


def test_the_same_folder_elsewhere_has_the_same_batches():
    elsewhere = [ImageRef(Path("/mnt") / ref.path, ref.name) for ref in REFS]
    assert [len(batch) for batch in batches(elsewhere, 4)] == [
        len(batch) for batch in batches(REFS, 4)
    ]
