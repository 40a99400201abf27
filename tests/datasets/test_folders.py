from __future__ import annotations

from pathlib import Path

import pytest

from moeclip_cli.datasets.folders import (
    Listing,
    anomalous_images,
    image_files,
    normal_images,
    subfolders,
)


def make(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def test_images_are_listed_by_extension_in_natural_order(tmp_path):
    make(tmp_path, "10.png", "2.PNG", "1.jpeg", ".DS_Store", "._1.jpeg", "Thumbs.db", "readme",
         "sub/3.png")  # fmt: skip
    assert [path.name for path in image_files(tmp_path)] == ["1.jpeg", "2.PNG", "10.png"]
    assert image_files(tmp_path / "nowhere") == []
    assert image_files(tmp_path / "readme") == []


def test_subfolders_exclude_files_and_hidden_folders(tmp_path):
    make(tmp_path, "b10/x", "b2/x", ".git/x", "file.png")
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert [path.name for path in subfolders(tmp_path)] == ["b2", "b10"]


def test_normal_images_have_no_mask(tmp_path):
    make(tmp_path, "2.png", "1.png")
    (first, second) = normal_images(tmp_path, "nut", "nut_7").samples
    assert (first.image.name, first.label, first.category, first.mask) == ("1.png", 0, "nut", None)
    assert second.group == "nut_7"


def test_masks_are_paired_by_exact_stem(tmp_path):
    """Neither their order nor a common prefix of the names matters."""
    images = make(tmp_path / "bad", "1.png", "10.png", "01.png", "1a.png")
    masks = make(tmp_path / "masks", "10_mask.png", "1_mask.png", "1a.bmp", "01.PNG")
    index = anomalous_images(images, masks, "nut")
    assert {sample.image.name: sample.mask.name for sample in index.samples} == {
        "1.png": "1_mask.png",
        "10.png": "10_mask.png",
        "01.png": "01.PNG",
        "1a.png": "1a.bmp",
    }
    assert not index.problems
    assert not index.spare_masks


@pytest.mark.parametrize("stray", ["10_mask.png", "1_masks.png", "mask_1.png", "1_mask_mask.png"])
def test_a_mask_with_a_similar_name_is_not_paired(stray, tmp_path):
    images = make(tmp_path / "bad", "1.png")
    masks = make(tmp_path / "masks", stray)
    index = anomalous_images(images, masks, "nut")
    assert index.samples[0].mask is None
    assert [(problem.kind, problem.path) for problem in index.problems] == [
        ("unpaired", images / "1.png")
    ]
    assert index.spare_masks == (masks / stray,)


def test_two_masks_for_one_image_are_a_problem(tmp_path):
    images = make(tmp_path / "bad", "1.png", "2.png")
    masks = make(tmp_path / "masks", "1.png", "1_mask.png", "2.png", "2.bmp")
    index = anomalous_images(images, masks, "nut")
    assert [sample.mask for sample in index.samples] == [None, None]
    assert [problem.message for problem in index.problems] == [
        "1.png and 1_mask.png could each be its mask",
        "2.bmp and 2.png could each be its mask",
    ]
    assert not index.spare_masks


@pytest.mark.parametrize("exists", [True, False])
def test_a_missing_or_empty_mask_folder_is_one_problem(exists, tmp_path):
    images = make(tmp_path / "bad", "1.png", "2.png", "3.png")
    masks = make(tmp_path / "masks", "notes.txt") if exists else tmp_path / "masks"
    index = anomalous_images(images, masks, "nut")
    assert len(index.samples) == 3
    assert [(problem.kind, problem.path) for problem in index.problems] == [("missing", masks)]
    assert "3 images" in index.problems[0].message


def test_datasets_without_masks_need_no_mask_folder(tmp_path):
    images = make(tmp_path / "bad", "1.png")
    index = anomalous_images(images, None, "nut", "nut_7")
    assert [(s.label, s.mask, s.group) for s in index.samples] == [(1, None, "nut_7")]
    assert not index.problems


def test_listing_ignores_the_case_of_extensions(tmp_path):
    make(tmp_path, "1.JPG", "2.jpg", "2.JPG", "B.png")
    listing = Listing()
    assert listing.find(tmp_path / "1.jpg") == tmp_path / "1.JPG"
    assert listing.find(tmp_path / "2.jpg") == tmp_path / "2.jpg"
    assert listing.find(tmp_path / "2.JPG") == tmp_path / "2.JPG"
    assert listing.find(tmp_path / "b.png") is None
    assert listing.find(tmp_path / "nowhere" / "1.jpg") is None
    assert listing.find(tmp_path / "nul\0" / "1.jpg") is None
