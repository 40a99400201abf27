from __future__ import annotations

import csv
import io
from collections import Counter

import pytest
from support import fake_datasets

from moeclip_cli.datasets.catalogue import CATALOGUE, find_spec
from moeclip_cli.datasets.dataset import Counts
from moeclip_cli.datasets.opening import open_dataset

NAMES = list(fake_datasets.FOLDERS)


def test_the_catalogue_lists_the_14_datasets():
    assert [spec.name for spec in CATALOGUE] == NAMES


def test_a_page_is_named_once_to_get_a_dataset_from():
    assert find_spec("rsdd").where_to_get == "get it from https://github.com/CoCoRessa/MoECLIP"
    assert "in the layout used here, from https://" in find_spec("visa").where_to_get


@pytest.mark.parametrize("name", NAMES)
def test_the_index_equals_the_authors_list(name, tmp_path):
    folder = fake_datasets.build(name, tmp_path)
    dataset = open_dataset(name, tmp_path)
    expected = fake_datasets.rows(name)
    assert dataset.root == folder
    assert len(dataset.samples) == len(expected)
    assert set(map(_frozen, dataset.rows())) == set(map(_frozen, expected))
    assert dataset.counts() == dataset.expected


@pytest.mark.parametrize("name", NAMES)
def test_the_expected_counts_match_the_authors_list(name):
    counted = Counter((row["class_name"], row["label"]) for row in fake_datasets.rows(name))
    spec = find_spec(name)
    assert spec.expected == {
        category: Counts(counted[category, 0], counted[category, 1]) for category, _ in counted
    }


def test_the_totals_match_the_paper():
    totals = {spec.name: Counts.total(spec.expected.values()) for spec in CATALOGUE}
    assert totals == {
        "mvtec": Counts(467, 1258), "visa": Counts(962, 1200), "btad": Counts(451, 290),
        "rsdd": Counts(387, 387), "dtd-synthetic": Counts(357, 947), "brain": Counts(640, 3075),
        "liver": Counts(833, 660), "retina": Counts(1041, 764), "headct": Counts(100, 100),
        "colondb": Counts(0, 380), "clinicdb": Counts(0, 612), "cvc300": Counts(0, 60),
        "kvasir": Counts(0, 1000), "endo": Counts(0, 200),
    }  # fmt: skip


def test_descriptions_keep_the_papers_wording():
    assert find_spec("mvtec").prompts["capsule"] == "black asd orange capsule"
    assert find_spec("mvtec").prompts["pill"].endswith("the letters 'FF' engraved")
    assert find_spec("btad").prompts["02"] == (
        "vertical fabric lines in warm, dusty pink and beige tones"
    )
    assert find_spec("endo").prompts == {"Endo": "polyp"}


def test_texture_variants_are_evaluated_separately(tmp_path):
    fake_datasets.build("dtd-synthetic", tmp_path)
    samples = open_dataset("dtd-synthetic", tmp_path).samples
    groups = {sample.group for sample in samples}
    assert len(groups) == 12
    assert {sample.category for sample in samples} == set(find_spec("dtd-synthetic").expected)
    assert all(sample.group == sample.image.parts[-4] for sample in samples)


@pytest.mark.parametrize(
    ("spelling", "name"),
    [("MVTec", "mvtec"), ("mvtec_ad", "mvtec"), ("MVTEC-AD", "mvtec"), ("VISA", "visa"),
     ("BTech_Dataset_transformed", "btad"), ("dtd_synthetic", "dtd-synthetic"),
     ("Brain MRI", "brain"), ("Colon_cvc300", "cvc300"), ("CVC-300", "cvc300"),
     ("HeadCT", "headct"), ("Colon_Kvasir", "kvasir")],
)  # fmt: skip
def test_names_are_recognised_in_any_spelling(spelling, name):
    assert find_spec(spelling).name == name


def test_names_are_unambiguous():
    keys = Counter(key for spec in CATALOGUE for key in spec.keys)
    assert max(keys.values()) == 1
    assert find_spec("mvtec2") is None
    assert find_spec("") is None


@pytest.mark.parametrize("folder", ["mvtec_anomaly_detection", "MVTEC_AD", "mvtec"])
def test_the_folder_may_have_any_of_its_names(folder, tmp_path):
    (tmp_path / folder).mkdir()
    (tmp_path / "mvtec.zip").touch()
    assert find_spec("mvtec").find_folder(tmp_path) == tmp_path / folder


def test_the_first_name_takes_precedence(tmp_path):
    for folder in ("mvtec_ad", "mvtec_anomaly_detection", "MVTec"):
        (tmp_path / folder).mkdir()
    assert find_spec("mvtec").find_folder(tmp_path) == tmp_path / "MVTec"


def test_every_dataset_has_a_source():
    for spec in CATALOGUE:
        assert spec.homepage.startswith("https://")
        assert spec.paper
        assert spec.layout.expects


def test_other_image_formats_are_accepted(tmp_path):
    """The polyp datasets are published as JPEG, PNG and TIFF."""
    fake_datasets.build("cvc300", tmp_path, strays=False)
    folder = tmp_path / "Colon_cvc300"
    for kind in ("images", "masks"):
        (folder / kind / "149.png").rename(folder / kind / "149.TIF")
    names = {sample.image.name for sample in open_dataset("cvc300", tmp_path).samples}
    assert "149.TIF" in names
    assert len(names) == 60


def test_the_case_of_extensions_may_differ_from_visas_table(tmp_path):
    folder = fake_datasets.build("visa", tmp_path, strays=False, limit=3)
    for image in list(folder.rglob("*.JPG")):
        image.rename(image.with_suffix(".jpg"))
    images = [sample.image for sample in open_dataset("visa", tmp_path).samples]
    assert len(images) == 3
    assert all(image.suffix == ".jpg" and image.is_file() for image in images)


def test_visas_table_may_be_saved_by_a_spreadsheet(tmp_path):
    folder = fake_datasets.build("visa", tmp_path, strays=False, limit=3)
    table = folder / "split_csv" / "1cls.csv"
    rows = list(csv.reader(io.StringIO(table.read_text())))
    table.write_bytes(
        b"\xef\xbb\xbf" + "\r\n".join(";".join(row) for row in rows).encode() + b"\r\n"
    )
    assert len(open_dataset("visa", tmp_path).samples) == 3


def _frozen(row: dict) -> tuple:
    return tuple(sorted(row.items()))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mvtec", ["bottle/train/good/000.png"]),
        ("btad", ["01/train/ok/0000.bmp"]),
        ("rsdd", ["Metal15/train/good/1.bmp"]),
        ("dtd-synthetic", ["Blotchy_099/train/good/000.png"]),
        ("brain", ["train/good/img/1.png"]),
        ("colondb", []),
    ],
)
def test_the_good_images_of_the_training_split_are_known(name, expected, tmp_path):
    fake_datasets.build(name, tmp_path, limit=40)
    dataset = open_dataset(name, tmp_path)
    assert [dataset.relative(sample.image) for sample in dataset.training] == expected
    assert all(sample.label == 0 for sample in dataset.training)


def test_visas_training_split_is_in_its_table_and_may_be_missing_on_disk(tmp_path):
    folder = fake_datasets.build("visa", tmp_path, limit=3)
    dataset = open_dataset("visa", tmp_path)
    assert dataset.training == ()
    kind = dataset.samples[0].category
    (folder / kind / "Data" / "Images" / "Normal" / "x.JPG").write_bytes(b"")
    found = open_dataset("visa", tmp_path)
    assert {sample.category for sample in found.training} == {kind}
    assert found.samples == dataset.samples
