from __future__ import annotations

from pathlib import Path

import pytest

from moeclip_cli.datasets.user_folder import index_folder
from moeclip_cli.errors import DatasetError


def make(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def indexed(folder: Path) -> set[tuple]:
    index = index_folder(folder)
    assert not index.problems
    return {
        (
            sample.image.relative_to(folder).as_posix(),
            sample.label,
            sample.category,
            sample.mask and sample.mask.relative_to(folder).as_posix(),
        )
        for sample in index.samples
    }


CATEGORY = ("train/good/0.png", "test/Good/1.png", "test/scratch/1.png", "test/dent/1.jpg",
            "ground_truth/scratch/1_mask.png", "ground_truth/dent/1.png")  # fmt: skip


def test_one_category_in_mvtecs_layout(tmp_path):
    assert indexed(make(tmp_path / "metal_bracket", *CATEGORY)) == {
        ("test/Good/1.png", 0, "metal_bracket", None),
        ("test/scratch/1.png", 1, "metal_bracket", "ground_truth/scratch/1_mask.png"),
        ("test/dent/1.jpg", 1, "metal_bracket", "ground_truth/dent/1.png"),
    }


def test_several_categories_with_and_without_masks(tmp_path):
    make(tmp_path, "readme.png", "notes/1.png")
    make(tmp_path / "nut", *CATEGORY)
    make(tmp_path / "bolt", "test/ok/1.png", "test/bent/1.png")
    assert indexed(tmp_path) == {
        ("nut/test/Good/1.png", 0, "nut", None),
        ("nut/test/scratch/1.png", 1, "nut", "nut/ground_truth/scratch/1_mask.png"),
        ("nut/test/dent/1.jpg", 1, "nut", "nut/ground_truth/dent/1.png"),
        ("bolt/test/ok/1.png", 0, "bolt", None),
        ("bolt/test/bent/1.png", 1, "bolt", None),
    }


@pytest.mark.parametrize("good", ["good", "OK"])
@pytest.mark.parametrize("bad", ["bad", "NG", "Anomalous"])
def test_folders_of_normal_and_anomalous_images(good, bad, tmp_path):
    folder = make(tmp_path / "parts", f"{good}/1.png", f"{good}/2.png", f"{bad}/1.png")
    assert indexed(folder) == {
        (f"{good}/1.png", 0, "parts", None),
        (f"{good}/2.png", 0, "parts", None),
        (f"{bad}/1.png", 1, "parts", None),
    }


@pytest.mark.parametrize("masks", ["masks", "Mask", "ground_truth"])
def test_folders_of_normal_and_anomalous_images_with_masks(masks, tmp_path):
    folder = make(tmp_path / "parts", "good/1.png", "bad/1.png", "bad/10.png",
                  f"{masks}/10_mask.png", f"{masks}/1.png")  # fmt: skip
    assert ("bad/1.png", 1, "parts", f"{masks}/1.png") in indexed(folder)
    assert ("bad/10.png", 1, "parts", f"{masks}/10_mask.png") in indexed(folder)


def test_a_missing_mask_is_a_problem(tmp_path):
    folder = make(tmp_path / "parts", "good/1.png", "bad/1.png", "bad/2.png", "masks/1.png")
    index = index_folder(folder)
    assert [problem.path.name for problem in index.problems] == ["2.png"]


def test_the_category_of_a_relative_folder_is_its_resolved_name(tmp_path, monkeypatch):
    monkeypatch.chdir(make(tmp_path / "nut", *CATEGORY))
    assert {sample.category for sample in index_folder(Path()).samples} == {"nut"}


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["1.png", "2.png"], "layout of .* is unknown"),
        (["good/1.png"], "layout of .* is unknown"),
        (["bad/1.png", "masks/1.png"], "layout of .* is unknown"),
        (["good/1.png", "ok/1.png", "bad/1.png"], "both good and ok"),
        (["good/1.png", "bad/1.png", "NG/1.png"], "both bad and NG"),
        (["good/1.png", "bad/notes.txt"], "bad contains no images"),
        (["good/notes.txt", "bad/1.png"], "good contains no images"),
        (["test/good/notes.txt"], "test contains no images"),
        (["nut/test/good/1.png", "bolt/test/good/notes.txt"], "bolt.test contains no images"),
    ],
)
def test_unknown_layouts_and_empty_folders_are_rejected(names, words, tmp_path):
    with pytest.raises(DatasetError, match=words):
        index_folder(make(tmp_path / "parts", *names))
