from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from support import fake_datasets

from moeclip_cli.datasets.check import check_dataset
from moeclip_cli.datasets.dataset import Counts
from moeclip_cli.datasets.opening import inspect_dataset


def check(name, data_root=None, workers=0):
    calls = []
    dataset, index = inspect_dataset(name, data_root)
    report = check_dataset(dataset, index, workers=workers, advance=lambda: calls.append(1))
    assert len(calls) == len(dataset.samples)
    return report


def save(path: Path, size=(8, 6), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, "gray").save(path, **options)


@pytest.fixture
def parts(tmp_path):
    folder = tmp_path / "parts"
    for name in ("good/1.png", "bad/1.png", "bad/2.jpg", "masks/1.png", "masks/2_mask.png"):
        save(folder / name)
    return folder


@pytest.mark.parametrize("workers", [0, 2])
def test_a_complete_dataset_passes(workers, parts):
    report = check(parts, workers=workers)
    assert report.passed
    assert report.total == Counts(1, 2)
    assert [(c.category, c.found, c.expected, c.masks) for c in report.categories] == [
        ("parts", Counts(1, 2), None, 2)
    ]


def test_a_complete_published_dataset_passes(tmp_path):
    fake_datasets.build("cvc300", tmp_path)
    report = check("cvc300", tmp_path)
    assert report.passed
    assert report.total == Counts(0, 60)


def test_every_type_of_problem_is_found(parts):
    data = (parts / "bad/1.png").read_bytes()
    (parts / "bad/1.png").write_bytes(data[: len(data) // 2])
    (parts / "good/1.png").write_bytes(b"")
    save(parts / "masks/2_mask.png", (8, 7))
    save(parts / "masks/3.png")
    save(parts / "bad/4.png")
    report = check(parts)
    assert not report.passed
    assert {(p.kind, p.path.relative_to(parts).as_posix()) for p in report.problems} == {
        ("unreadable", "bad/1.png"),
        ("unreadable", "good/1.png"),
        ("size", "masks/2_mask.png"),
        ("unpaired", "masks/3.png"),
        ("unpaired", "bad/4.png"),
    }
    assert "8 x 7 pixels, but its image has 8 x 6" in {p.message for p in report.problems}


def test_a_corrupt_mask_is_found(parts):
    mask = parts / "masks/1.png"
    mask.write_bytes(mask.read_bytes()[:45])
    assert [(p.kind, p.path) for p in check(parts).problems] == [("unreadable", mask)]


def test_the_size_of_a_mask_is_compared_with_the_upright_image(parts):
    """A rotated camera stores the image sideways with an EXIF orientation."""
    exif = Image.Exif()
    exif[0x0112] = 6
    save(parts / "bad/2.jpg", (6, 8), exif=exif)
    assert check(parts).passed


def test_counts_include_missing_categories(tmp_path):
    folder = fake_datasets.build("mvtec", tmp_path, strays=False, limit=90)
    save(folder / "bottle/test/good/extra.png")
    report = check("mvtec", tmp_path)
    counts = {category.category: category for category in report.categories}
    assert len(counts) == 15
    assert counts["bottle"].found == Counts(21, 63)
    assert counts["bottle"].expected == Counts(20, 63)
    assert counts["zipper"].found == Counts(0, 0)
    assert counts["zipper"].expected == Counts(32, 119)
    assert not report.problems
    assert not report.counts_match
    assert not report.passed


def test_a_listed_but_missing_image_is_reported_once(parts):
    manifest = parts / "list.csv"
    manifest.write_text("image_path,label,mask_path\ngood/1.png,0,\nbad/9.png,1,masks/1.png\n")
    report = check(manifest)
    assert [(p.kind, p.path) for p in report.problems] == [("missing", parts / "bad/9.png")]
