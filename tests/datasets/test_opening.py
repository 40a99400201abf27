from __future__ import annotations

import json
from pathlib import Path

import pytest
from support import fake_datasets

from moeclip_cli.datasets.opening import inspect_dataset, open_dataset
from moeclip_cli.errors import DatasetError


@pytest.fixture
def parts(tmp_path):
    for name in ("good/1.png", "bad/1.png", "bad/2.png", "masks/1.png", "masks/2_mask.png"):
        path = tmp_path / "metal_parts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "metal_parts"


def test_the_data_root_is_the_argument_or_else_the_variable_or_else_data(tmp_path, monkeypatch):
    for number, root in enumerate(["given", "variable", "data"], 2):
        fake_datasets.build("headct", tmp_path / root, strays=False, limit=number)
    monkeypatch.chdir(tmp_path)
    assert len(open_dataset("HeadCT").samples) == 4
    monkeypatch.setenv("MOECLIP_DATA", str(tmp_path / "variable"))
    assert len(open_dataset("headct").samples) == 3
    assert len(open_dataset("headct", tmp_path / "given").samples) == 2


def test_a_published_dataset_has_its_title_domain_and_prompts(tmp_path):
    fake_datasets.build("brain", tmp_path, strays=False, limit=3)
    dataset = open_dataset("brain", tmp_path)
    assert (dataset.name, dataset.title, dataset.domain) == ("brain", "Brain MRI", "medical")
    assert dataset.prompts == {"Brain": "scan"}


def test_the_folder_of_a_published_dataset_is_recognised(tmp_path):
    folder = fake_datasets.build("visa", tmp_path, strays=False, limit=3)
    dataset = open_dataset(str(folder))
    assert dataset.name == "visa"
    assert dataset.prompts["pcb2"] == "integrated circuits board"


def test_a_folder_with_the_name_of_a_dataset_may_contain_other_data(parts, tmp_path):
    folder = parts.rename(tmp_path / "liver")
    dataset = open_dataset(folder)
    assert (dataset.name, dataset.domain) == ("liver", "industrial")
    assert dataset.categories == ("liver",)
    assert not dataset.expected


def test_the_prompt_of_a_users_folder_is_its_name_in_words(parts):
    dataset = open_dataset(parts)
    assert (dataset.name, dataset.root) == ("metal_parts", parts)
    assert dataset.prompts == {"metal_parts": "metal parts"}


def test_the_rows_of_a_dataset_are_a_manifest_of_it(parts):
    dataset = open_dataset(parts)
    rows = list(dataset.rows())
    manifest = parts / "list.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    again = open_dataset(manifest)
    assert (again.name, list(again.rows())) == ("list", rows)


def test_the_error_for_a_missing_dataset_names_its_folder_and_source(tmp_path):
    with pytest.raises(DatasetError) as caught:
        open_dataset("mvtec", tmp_path / "nowhere")
    message = str(caught.value)
    assert str(tmp_path / "nowhere") in message
    assert "mvtec_anomaly_detection" in message
    assert "https://www.mvtec.com" in message
    assert "`data_root`" in message
    assert "./mvtec" not in message
    Path("mvtec").mkdir()
    with pytest.raises(DatasetError, match="write ./mvtec"):
        open_dataset("mvtec", tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "hint"), [("mvtek", "did you mean mvtec"), ("", "mvtec, visa"), ("x" * 300, "cannot")]
)
def test_unknown_names_are_rejected(name, hint):
    with pytest.raises(DatasetError, match=hint):
        open_dataset(name)


def test_the_error_for_another_layout_names_the_expected_files(tmp_path):
    (tmp_path / "VisA" / "candle" / "test" / "good").mkdir(parents=True)
    with pytest.raises(DatasetError, match=r"split_csv/1cls\.csv"):
        open_dataset("visa", tmp_path)
    (tmp_path / "Endo" / "images").mkdir(parents=True)
    with pytest.raises(DatasetError, match="in test dataset: images and masks"):
        open_dataset("endo", tmp_path)


def test_an_incomplete_dataset_can_only_be_inspected(tmp_path):
    folder = fake_datasets.build("cvc300", tmp_path, strays=False)
    for name in ("149.png", "150.png"):
        (folder / "masks" / name).unlink()
    with pytest.raises(DatasetError, match=r"images/149.png: it has no mask .*\(and 1 more\)"):
        open_dataset("cvc300", tmp_path)
    dataset, index = inspect_dataset("cvc300", tmp_path)
    assert len(dataset.samples) == 60
    assert len(index.problems) == 2


def test_a_missing_mask_folder_is_rejected(tmp_path):
    folder = fake_datasets.build("brain", tmp_path, strays=False, limit=3)
    (folder / "test/Ungood/label").rename(folder / "elsewhere")
    with pytest.raises(
        DatasetError, match="test/Ungood/label: there are no masks for 3 images \\(the first is"
    ):
        open_dataset("brain", tmp_path)


def test_invalid_rows_of_visas_table_are_rejected(tmp_path):
    folder = fake_datasets.build("visa", tmp_path, strays=False, limit=2)
    table = folder / "split_csv" / "1cls.csv"
    content = table.read_text()
    table.write_text(content.replace("candle/Data/Masks/Anomaly/000.png", ""))
    with pytest.raises(DatasetError, match="no mask is listed"):
        open_dataset("visa", tmp_path)
    table.write_text(content.replace("test,anomaly", "test,odd"))
    with pytest.raises(DatasetError, match="Line 3 .* unknown label 'odd'"):
        open_dataset("visa", tmp_path)
    table.write_text(content.replace("object,", "product,"))
    with pytest.raises(DatasetError, match="no column 'object'"):
        open_dataset("visa", tmp_path)
