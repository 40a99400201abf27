from __future__ import annotations

from dataclasses import replace

import pytest
from support.benchmark_data import build_all, own_folder

from moeclip_cli.datasets.opening import open_dataset
from moeclip_cli.model.backbones.clip import CLIP
from moeclip_cli.runs.benchmark_seen import seen_in_training
from moeclip_cli.training.examples import DatasetExamples


@pytest.fixture(scope="module")
def datasets(tmp_path_factory):
    root = build_all(tmp_path_factory.mktemp("data"), names=("mvtec", "visa"))
    return {name: open_dataset(name, root) for name in ("mvtec", "visa")}


def seen(training, *datasets):
    return list(seen_in_training("run.safetensors", training, datasets))


def test_a_published_dataset_is_known_by_its_name(datasets):
    training = {"datasets": [{"use": "training", "name": "visa", "listing": "of another copy"}]}
    assert seen(training, datasets["mvtec"]) == []
    assert seen(training, *datasets.values()) == [
        "run.safetensors was trained on VisA: its numbers there do not show how it does on unseen "
        "products, and are not comparable with published ones."
    ]


def test_own_data_are_known_by_name_and_listing(tmp_path):
    bolts = open_dataset(own_folder(tmp_path / "bolts"))
    nuts = open_dataset(own_folder(tmp_path / "nuts"))
    entry = {"use": "training", "name": "bolts", "listing": bolts.digest}
    assert len(seen({"datasets": [entry]}, bolts)) == 1
    assert seen({"datasets": [entry]}, nuts) == []
    fewer = replace(bolts, samples=bolts.samples[1:])
    assert seen({"datasets": [entry]}, fewer) == []


def test_a_category_of_a_published_dataset_is_a_part_of_it(datasets):
    bottle, cable = (open_dataset(datasets["mvtec"].root / name) for name in ("bottle", "cable"))
    whole = DatasetExamples(datasets["mvtec"], 70, CLIP.preprocessing).source
    part = DatasetExamples(bottle, 70, CLIP.preprocessing).source
    assert len(seen({"datasets": [{"use": "training", **part}]}, *datasets.values(), bottle)) == 2
    assert seen({"datasets": [{"use": "training", **part}]}, cable) == []
    assert len(seen({"datasets": [{"use": "training", **whole}]}, bottle, cable)) == 2
    own = DatasetExamples(
        replace(bottle, root=datasets["mvtec"].root / "a/b"), 70, CLIP.preprocessing
    )
    assert "part_of" not in own.source


def test_the_data_that_chose_the_epoch_count_too(datasets):
    training = {"datasets": [{"use": "validation", "name": "mvtec", "listing": ""}]}
    (sentence,) = seen(training, *datasets.values())
    assert "had its epoch chosen on MVTec" in sentence


def test_earlier_checkpoints_name_the_data_in_their_settings(datasets):
    assert len(seen({"settings": {"data": "visa", "val_data": "mvtec"}}, *datasets.values())) == 2
    assert seen({"settings": {"data": "./parts", "val_data": None}}, *datasets.values()) == []


@pytest.mark.parametrize(
    "training",
    [{}, {"datasets": "visa"}, {"datasets": ["visa"]}, {"datasets": [{}]}, {"settings": 5}],
)
def test_a_record_of_another_form_tells_nothing(training, datasets, tmp_path):
    assert seen(training, *datasets.values(), open_dataset(own_folder(tmp_path / "nuts"))) == []
