from __future__ import annotations

from pathlib import Path

import fake_datasets
import pytest
from PIL import Image

from moeclip_cli.datasets.check import check_dataset
from moeclip_cli.datasets.dataset import Counts
from moeclip_cli.datasets.opening import inspect_dataset


def check(name, data_root=None, workers=0):
    counted = []
    dataset, index = inspect_dataset(name, data_root)
    report = check_dataset(dataset, index, workers=workers, advance=lambda: counted.append(1))
    assert len(counted) == len(dataset.samples)
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
def test_a_whole_dataset_is_fine(workers, parts):
    report = check(parts, workers=workers)
    assert report.is_fine
    assert report.found == Counts(1, 2)
    assert [(t.category, t.found, t.expected, t.masks) for t in report.tallies] == [
        ("parts", Counts(1, 2), None, 2)
    ]


def test_a_complete_published_dataset_is_fine(tmp_path):
    fake_datasets.build("cvc300", tmp_path)
    report = check("cvc300", tmp_path)
    assert report.is_fine
    assert report.found == Counts(0, 60)


def test_every_kind_of_fault_is_found(parts):
    whole = (parts / "bad/1.png").read_bytes()
    (parts / "bad/1.png").write_bytes(whole[: len(whole) // 2])
    (parts / "good/1.png").write_bytes(b"")
    save(parts / "masks/2_mask.png", (8, 7))
    save(parts / "masks/3.png")
    save(parts / "bad/4.png")
    report = check(parts)
    assert not report.is_fine
    assert {(p.kind, p.path.relative_to(parts).as_posix()) for p in report.problems} == {
        ("unreadable", "bad/1.png"),
        ("unreadable", "good/1.png"),
        ("size", "masks/2_mask.png"),
        ("unpaired", "masks/3.png"),
        ("unpaired", "bad/4.png"),
    }
    assert "8 x 7 pixels, but its image has 8 x 6" in {p.message for p in report.problems}


def test_a_damaged_mask_is_found(parts):
    mask = parts / "masks/1.png"
    mask.write_bytes(mask.read_bytes()[:45])
    assert [(p.kind, p.path) for p in check(parts).problems] == [("unreadable", mask)]


def test_a_mask_fits_the_image_as_it_is_seen_upright(parts):
    """A camera that was turned stores the image lying and says so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    save(parts / "bad/2.jpg", (6, 8), exif=exif)
    assert check(parts).is_fine


def test_counts_stand_beside_the_expected_ones_also_for_a_category_that_is_not_there(tmp_path):
    folder = fake_datasets.build("mvtec", tmp_path, strays=False, limit=90)
    save(folder / "bottle/test/good/extra.png")
    report = check("mvtec", tmp_path)
    tallies = {tally.category: tally for tally in report.tallies}
    assert len(tallies) == 15
    assert tallies["bottle"].found == Counts(21, 63)
    assert tallies["bottle"].expected == Counts(20, 63)
    assert tallies["zipper"].found == Counts(0, 0)
    assert tallies["zipper"].expected == Counts(32, 119)
    assert not report.problems
    assert not report.counts_fit
    assert not report.is_fine


def test_what_a_manifest_lists_and_is_not_there_is_reported_once(parts):
    manifest = parts / "list.csv"
    manifest.write_text("image_path,label,mask_path\ngood/1.png,0,\nbad/9.png,1,masks/1.png\n")
    report = check(manifest)
    assert [(p.kind, p.path) for p in report.problems] == [("missing", parts / "bad/9.png")]
