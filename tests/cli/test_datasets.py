from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from PIL import Image
from support import fake_datasets


@pytest.fixture
def parts(tmp_path):
    folder = tmp_path / "parts"
    for name in ("good/1.png", "bad/1.png", "bad/2.png", "masks/1.png", "masks/2_mask.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 6)).save(folder / name)
    return folder


@pytest.mark.parametrize("arguments", [[], ["list"]])
def test_all_datasets_are_listed_with_licence_and_source(arguments, moeclip, tmp_path):
    fake_datasets.build("headct", tmp_path / "data", strays=False, limit=1)
    result = moeclip("datasets", *arguments)
    assert result.exit_code == 0
    lines = [line.split("\t") for line in result.stdout.splitlines()]
    assert lines[0] == ["NAME", "DOMAIN", "LICENCE", "FOUND", "WHERE TO GET IT"]
    by_name = {line[0]: line[1:] for line in lines[1:]}
    assert list(by_name) == list(fake_datasets.FOLDERS)
    assert by_name["headct"][2] == str(Path("data/headct"))
    assert by_name["mvtec"][:3] == ["industrial", "CC BY-NC-SA 4.0", "no"]
    assert by_name["rsdd"][1] == "not stated"
    assert "Looked in data" in result.stderr


def test_the_list_as_json_has_counts_and_papers(moeclip, tmp_path):
    result = moeclip("datasets", "list", "--json", "--data-root", tmp_path)
    datasets = {entry["name"]: entry for entry in json.loads(result.stdout)}
    assert len(datasets) == 14
    assert datasets["endo"]["found"] is None
    assert datasets["btad"]["categories"]["03"]["normal"] == 400
    assert "Bergmann" in datasets["mvtec"]["paper"]


@pytest.mark.parametrize("row_format", [[], ["--format", "jsonl"]])
def test_rows_are_printed_as_jsonl(row_format, moeclip, tmp_path):
    fake_datasets.build("cvc300", tmp_path)
    result = moeclip("datasets", "list", "cvc300", "--data-root", tmp_path, *row_format)
    assert result.exit_code == 0
    printed = sorted(result.stdout.splitlines())
    assert printed == sorted(json.dumps(row) for row in fake_datasets.rows("cvc300"))


def test_rows_are_printed_as_csv_that_is_a_manifest(moeclip, parts):
    result = moeclip("datasets", "list", parts, "--format", "csv")
    rows = list(csv.reader(result.stdout.splitlines()))
    assert rows == [
        ["image_path", "label", "class_name", "mask_path"],
        ["good/1.png", "0", "parts", ""],
        ["bad/1.png", "1", "parts", "masks/1.png"],
        ["bad/2.png", "1", "parts", "masks/2_mask.png"],
    ]
    (parts / "list.csv").write_text(result.stdout)
    again = moeclip("datasets", "list", parts / "list.csv", "--format", "csv")
    assert again.stdout == result.stdout


def test_a_file_name_that_is_not_utf_8_survives_as_jsonl(moeclip, parts):
    try:
        (parts / "good/1.png").rename(parts / "good" / "\udcff ü.png")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    result = moeclip("datasets", "list", parts)
    assert result.exit_code == 0
    assert json.loads(result.stdout.splitlines()[0])["image_path"] == "good/\udcff ü.png"
    assert moeclip("datasets", "list", parts, "-f", "csv").exit_code == 0
    assert moeclip("datasets", "check", parts).exit_code == 0


@pytest.mark.parametrize(
    "arguments", [["--format", "csv"], ["mvtec", "--json"], ["mvtec", "--format", "xml"]]
)
def test_options_that_do_not_go_together_are_wrong_use(arguments, moeclip):
    assert moeclip("datasets", "list", *arguments).exit_code == 2


@pytest.mark.parametrize("command", ["list", "check"])
def test_a_dataset_that_is_not_there_ends_with_4_and_says_how_to_get_it(command, moeclip):
    result = moeclip("datasets", command, "btad")
    assert result.exit_code == 4
    assert result.stdout == ""
    assert "BTech_Dataset_transformed in data" in result.stderr
    assert "https://" in result.stderr


def test_check_passes_what_is_whole(moeclip, parts):
    result = moeclip("datasets", "check", parts)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "CATEGORY\tNORMAL\tEXPECTED\tANOMALOUS\tEXPECTED\tMASKS",
        "parts\t1\t\t2\t\t2",
        f"parts in {parts}: 1 normal and 2 anomalous images, no problems.",
    ]


def test_check_lists_what_is_wrong_and_ends_with_4(moeclip, parts):
    (parts / "good/1.png").write_bytes(b"")
    (parts / "masks/1.png").rename(parts / "masks/3.png")
    result = moeclip("datasets", "check", parts)
    assert result.exit_code == 4
    lines = result.stdout.splitlines()
    assert lines[2:3] == ["PROBLEM\tFILE\tMESSAGE"]
    assert [line.split("\t")[:2] for line in lines[3:-1]] == [
        ["unpaired", "bad/1.png"],
        ["unpaired", "masks/3.png"],
        ["unreadable", "good/1.png"],
    ]
    assert lines[-1].endswith("2 anomalous images, 3 problems.")


def test_check_goes_on_after_a_dataset_that_is_not_there(moeclip, tmp_path, parts):
    fake_datasets.build("cvc300", tmp_path, limit=59)
    result = moeclip("datasets", "check", "btad", "CVC-300", parts, "--data-root", tmp_path)
    assert result.exit_code == 4
    assert "CVC-300\t0\t0\t59\t60\t59" in result.stdout
    assert "59 anomalous images, different numbers than expected." in result.stdout
    assert "no problems" in result.stdout
    assert "BTAD was not found" in result.stderr
    assert "Problems found: btad, CVC-300;" in result.stderr


def test_the_data_root_comes_from_the_variable(moeclip, tmp_path, monkeypatch):
    fake_datasets.build("cvc300", tmp_path / "elsewhere")
    monkeypatch.setenv("MOECLIP_DATA", str(tmp_path / "elsewhere"))
    result = moeclip("datasets", "check", "cvc300", "--quiet")
    assert result.exit_code == 0
    assert result.stderr == ""


def test_the_data_root_comes_from_the_settings_file(moeclip, tmp_path, monkeypatch):
    fake_datasets.build("cvc300", tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path)
    Path("moeclip.toml").write_text('data-root = "elsewhere"\nformat = "parquet"\n')

    assert moeclip("datasets", "check", "cvc300", "--quiet").exit_code == 0
    assert len(moeclip("datasets", "list", "cvc300").stdout.splitlines()) == 60
    assert str(Path("elsewhere", "Colon_cvc300")) in moeclip("datasets").stdout

    Path("moeclip.toml").write_text('[datasets]\ndata_root = "nowhere"\n')
    assert moeclip("datasets", "check", "cvc300").exit_code == 4

    Path("moeclip.toml").write_text("[datasets]\nthreshold = 1\n")
    result = moeclip("datasets", "list")
    assert result.exit_code == 2
    assert "unknown setting 'threshold' in [datasets]" in result.stderr
