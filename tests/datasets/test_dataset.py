from __future__ import annotations

from pathlib import Path

from moeclip_cli.datasets.dataset import Counts, Dataset, Sample

ROOT = Path("data/parts")

DATASET = Dataset(
    name="parts",
    title="parts",
    domain="industrial",
    root=ROOT,
    samples=(
        Sample(ROOT / "b/good/1.png", 0, "b"),
        Sample(ROOT / "a/bad/1.png", 1, "a", ROOT / "a/masks/1.png", variant="a_1"),
        Sample(ROOT / "b/good/2.png", 0, "b"),
        Sample(Path("/elsewhere/3.png"), 1, "b"),
    ),
    prompts={"a": "nut", "b": "bolt"},
)


def test_rows_have_relative_paths_and_optional_masks():
    assert list(DATASET.rows()) == [
        {"image_path": "b/good/1.png", "label": 0, "class_name": "b"},
        {"image_path": "a/bad/1.png", "label": 1, "class_name": "a", "mask_path": "a/masks/1.png"},
        {"image_path": "b/good/2.png", "label": 0, "class_name": "b"},
        {"image_path": "/elsewhere/3.png", "label": 1, "class_name": "b"},
    ]


def test_counts_are_per_category_in_the_order_of_the_samples():
    assert DATASET.categories == ("b", "a")
    assert DATASET.counts() == {"b": Counts(2, 1), "a": Counts(0, 1)}
    assert Counts.total(DATASET.counts().values()) == Counts(2, 2)
    assert Counts.total([]) == Counts(0, 0)


def test_the_group_is_the_variant_or_else_the_category():
    assert [sample.group for sample in DATASET.samples] == ["b", "a_1", "b", "b"]
