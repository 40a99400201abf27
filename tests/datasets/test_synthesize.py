from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from support.samples import save_image

from moeclip_cli.datasets.opening import open_dataset
from moeclip_cli.datasets.synthesize import synthesize, synthesize_from
from moeclip_cli.datasets.synthetic import FAMILIES, KINDS
from moeclip_cli.errors import DatasetError, UsageError


def test_generated_categories_form_a_dataset_in_mvtecs_layout(tmp_path):
    calls = []
    synthesize(
        tmp_path / "made", categories=2, images=3, size=48, seed=1, advance=lambda: calls.append(1)
    )
    dataset = open_dataset(tmp_path / "made")
    assert set(dataset.categories) <= set(FAMILIES)
    counts = dataset.counts().values()
    assert [(count.normal, count.anomalous) for count in counts] == [(3, 3)] * 2
    assert len(calls) == 2 * 3 * 3
    for category in dataset.categories:
        assert len(list((tmp_path / "made" / category / "train" / "good").iterdir())) == 3
    for sample in dataset.samples:
        if sample.label:
            assert sample.image.parent.name in KINDS
            assert sample.mask.name == f"{sample.image.stem}_mask.png"
            mask = np.asarray(Image.open(sample.mask))
            assert mask.ndim == 2  # one channel, as in MVTec
            assert set(np.unique(mask)) == {0, 255}


@pytest.mark.parametrize("same_product", [False, True])
def test_the_same_seed_writes_the_same_files(tmp_path, same_product):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        synthesize(
            tmp_path / name, categories=1, images=1, size=48, seed=seed, same_product=same_product
        )
    files = [
        {p.relative_to(tmp_path / n): p.read_bytes() for p in (tmp_path / n).rglob("*.png")}
        for n in "abc"
    ]
    assert files[0] == files[1] != files[2]


def test_categories_of_one_product_form_a_dataset(tmp_path):
    synthesize(tmp_path / "made", categories=2, images=3, size=48, seed=1, same_product=True)
    counts = open_dataset(tmp_path / "made").counts().values()
    assert [(count.normal, count.anomalous) for count in counts] == [(3, 3)] * 2
    with pytest.raises(DatasetError, match="size"):
        synthesize(tmp_path / "tiny", categories=1, images=1, size=8, seed=1, same_product=True)


def test_defects_are_planted_into_the_users_images(tmp_path):
    for number in range(3):
        save_image(tmp_path / f"{number}.png", seed=number, width=80, height=60)
    (tmp_path / "broken.png").write_bytes(b"nothing")
    Image.new("RGB", (9, 9)).save(tmp_path / "tiny.png")
    warnings = []
    names = ["0.png", "line/broken.png", "1.png", "tiny.png", "other/1.png"]
    synthesize_from(
        [(tmp_path / name.rpartition("/")[2], name) for name in names],
        tmp_path / "made",
        "bolts",
        images=5,
        seed=1,
        warn=warnings.append,
    )
    assert len(warnings) == 2 and "broken.png" in warnings[0] and "9 x 9" in warnings[1]
    dataset = open_dataset(tmp_path / "made")
    assert dataset.categories == ("bolts",)
    assert (dataset.counts()["bolts"].normal, dataset.counts()["bolts"].anomalous) == (2, 5)
    good = {path.name: path for path in (tmp_path / "made").rglob("good/*.png")}
    assert len(good) == 3
    for sample in dataset.samples:
        if sample.label:
            original = np.asarray(Image.open(good[f"{sample.image.stem[:6]}.png"]))
            changed = (np.asarray(Image.open(sample.image)) != original).any(axis=-1)
            mask = np.asarray(Image.open(sample.mask)) > 0
            assert changed.any() and not (changed & ~mask).any()


def test_invalid_arguments(tmp_path):
    save_image(tmp_path / "full.png")
    with pytest.raises(UsageError, match="is not empty"):
        synthesize(tmp_path, categories=1, images=1, size=48, seed=0)
    with pytest.raises(UsageError, match="`categories` must be between 1 and"):
        synthesize(tmp_path / "a", categories=1000, images=1, size=48, seed=0)
    with pytest.raises(DatasetError, match="None of the normal images"):
        synthesize_from(
            [(tmp_path / "gone.png", "gone.png")],
            tmp_path / "b",
            "bolts",
            images=1,
            seed=0,
            warn=lambda message: None,
        )
