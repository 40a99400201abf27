from __future__ import annotations

import pytest
from support.benchmark_data import _draw, build_all, own_folder

from moeclip_cli.errors import DatasetError, UsageError
from moeclip_cli.evaluation.plan import count_mismatch, parts, select_datasets, with_draws
from moeclip_cli.evaluation.shots import FewShot


def test_variants_are_separate_parts_with_the_prompt_of_their_category(tmp_path):
    build_all(tmp_path, names=("dtd-synthetic",))
    (dataset,) = select_datasets(["dtd-synthetic"], [], tmp_path).datasets
    found = list(parts(dataset, None, None))
    assert len(found) == 12
    assert {part.protocols for part in found} == {("paper",)}
    woven = [part for part in found if part.category.startswith("Woven_")]
    assert len(woven) > 1
    assert {part.prompt for part in woven} == {dataset.prompts["Woven"]}


def test_prompt_and_domain_apply_to_own_data_only(tmp_path):
    folder = own_folder(tmp_path / "parts")
    build_all(tmp_path, names=("rsdd",))
    options = {"prompt": "bolt", "domain": "medical"}
    for names, own in ((["rsdd"], [folder]), (["rsdd", str(folder)], [])):
        published, mine = select_datasets(names, own, tmp_path, **options).datasets
        (part,) = parts(mine, None, None)
        assert (part.prompt, mine.domain, part.protocols) == ("bolt", "medical", ("deployed",))
        assert count_mismatch(mine) is None
        (part,) = parts(published, None, None)
        assert (part.prompt == "bolt", published.domain) == (False, "industrial")


@pytest.mark.parametrize(("limit", "normal", "anomalous"), [(1, 0, 1), (4, 2, 2), (5, 2, 3)])
def test_a_limit_is_split_between_both_labels(tmp_path, limit, normal, anomalous):
    folder = own_folder(tmp_path / "parts")
    (dataset,) = select_datasets([], [folder], None).datasets
    (part,) = parts(dataset, None, limit)
    labels = [sample.label for sample in part.samples]
    assert len(labels) == limit
    assert abs(labels.count(0) - normal) <= 1
    assert len(set(part.samples)) == limit


def test_a_limit_is_filled_from_the_other_label_if_one_is_rare(tmp_path):
    folder = own_folder(tmp_path / "parts")
    (folder / "good" / "1.png").unlink()
    (folder / "good" / "2.png").unlink()
    (dataset,) = select_datasets([], [folder], None).datasets
    (part,) = parts(dataset, None, 4)
    assert sorted(sample.label for sample in part.samples) == [0, 1, 1, 1]


def test_a_dataset_named_twice_is_evaluated_once(tmp_path):
    build_all(tmp_path, names=("rsdd",))
    found = select_datasets(["rsdd", "RSDD"], [], tmp_path, everything=True)
    assert [dataset.name for dataset in found.datasets] == ["rsdd"]
    assert len(found.missing) == 13


def test_different_datasets_of_the_same_name_are_rejected(tmp_path):
    one, other = own_folder(tmp_path / "a" / "parts"), own_folder(tmp_path / "b" / "PARTS")
    with pytest.raises(UsageError, match="both called PARTS"):
        select_datasets([], [one, other], None)


def test_a_broken_dataset_is_skipped_with_all_and_rejected_when_named(tmp_path):
    build_all(tmp_path, names=("rsdd", "cvc300"))
    mask = next((tmp_path / "Colon_cvc300" / "masks").iterdir())
    mask.unlink()
    found = select_datasets([], [], tmp_path, everything=True)
    assert [dataset.name for dataset in found.datasets] == ["rsdd"]
    assert any("CVC-300" in remark and "Skipped" in remark for remark in found.remarks())
    with pytest.raises(DatasetError, match="incomplete"):
        select_datasets(["cvc300"], [], tmp_path)


def test_counts_that_differ_from_the_published_ones_are_reported(tmp_path):
    build_all(tmp_path, names=("rsdd",))
    selection = select_datasets(["rsdd"], [], tmp_path)
    (remark,) = selection.remarks()
    assert "2 normal and 2 anomalous images instead of 387 and 387" in remark
    with pytest.raises(DatasetError, match="387"):
        selection.require_as_published()


def test_parts_without_enough_good_training_images_are_skipped_and_named(tmp_path):
    tree = build_all(tmp_path, names=("mvtec", "headct"), per_label=1)
    for name, count in (("bottle", 3), ("cable", 1)):
        for seed in range(count):
            _draw(tree / "MVTec" / name, {"image_path": f"train/good/{seed}.png", "label": 0}, seed)
    mvtec, head = select_datasets(["mvtec", "headct"], [], tree).datasets
    few_shot = FewShot((2, 4), 3)
    found, remarks = with_draws(list(parts(mvtec, None, None)), few_shot)
    assert [part.category for part in found] == ["bottle"]
    assert (found[0].draws.shots, len(found[0].draws.orders)) == ((2,), 3)
    assert len(remarks) == 15
    assert "MVTec, bottle is left out at 4 shots: it has only 3 good training images." in remarks
    skipped = "MVTec, cable is skipped: it has only 1 good training image."
    assert skipped in remarks
    assert "MVTec, wood is skipped: it has no good training images." in remarks
    found, remarks = with_draws(list(parts(head, None, None)), few_shot)
    assert found == []
    assert remarks == [
        "Head CT is skipped: it has no good training images to take references from."
    ]
