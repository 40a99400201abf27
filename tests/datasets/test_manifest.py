from __future__ import annotations

import json

import pytest

from moeclip_cli.datasets.manifest import read_manifest
from moeclip_cli.errors import DatasetError


@pytest.fixture
def folder(tmp_path):
    for name in ("good/1.png", "good/ü 2.png", "bad/1.png", "masks/1.png"):
        path = tmp_path / "parts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "parts"


def write(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


CSV = """image_path,label,class_name,mask_path
good/1.png,0,nut,
good/ü 2.png,0,bolt,
bad/1.png,1,nut,masks/1.png
"""


@pytest.mark.parametrize(
    "content",
    [
        CSV.encode(),
        b"\xef\xbb\xbf" + CSV.replace(",", ";").replace("\n", "\r\n").encode(),
        CSV.replace(",", "\t").encode(),
        CSV.replace("nut,\n", "nut,\n\n").replace(",1,", ",1.0,").encode(),
    ],
    ids=["comma", "semicolon with BOM", "tab", "blank line"],
)
def test_csv_manifests_in_the_dialects_of_spreadsheets(content, folder):
    index = read_manifest(write(folder, "list.csv", content))
    assert not index.problems
    assert [(s.image, s.label, s.category, s.mask) for s in index.samples] == [
        (folder / "good/1.png", 0, "nut", None),
        (folder / "good/ü 2.png", 0, "bolt", None),
        (folder / "bad/1.png", 1, "nut", folder / "masks/1.png"),
    ]


def test_jsonl_manifests_accept_the_authors_lists(folder):
    rows = [
        {"image_path": "good/1.png", "label": 0.0, "class_name": "nut"},
        {"image_path": "bad/1.png", "label": 1, "class_name": "nut", "mask_path": "masks/1.png"},
        {"image_path": "good/ü 2.png", "label": "0", "class_name": None, "mask_path": None},
    ]
    content = "\n".join(map(json.dumps, rows)) + "\n\n"
    index = read_manifest(write(folder, "list.JSONL", content))
    assert [(s.image.name, s.label, s.category, s.mask) for s in index.samples] == [
        ("1.png", 0, "nut", None),
        ("1.png", 1, "nut", folder / "masks/1.png"),
        ("ü 2.png", 0, "object", None),
    ]


def test_two_columns_are_sufficient(folder):
    index = read_manifest(write(folder, "list.csv", "label,image_path\n0,good/1.png\n"))
    assert [(s.category, s.mask) for s in index.samples] == [("object", None)]


def test_paths_may_be_absolute_or_lead_to_a_parent_folder(folder, tmp_path):
    lines = f"image_path,label\n{folder / 'good/1.png'},0\n../parts/bad/1.png,1\n"
    index = read_manifest(write(tmp_path / "parts", "list.csv", lines))
    assert not index.problems
    assert all(sample.image.is_file() for sample in index.samples)


def test_listed_but_missing_files_are_problems(folder):
    content = "image_path,label,mask_path\nbad/1.png,1,masks/2.png\nbad/2.png,1,masks/1.png\n"
    index = read_manifest(write(folder, "list.csv", content))
    assert [(problem.kind, problem.path) for problem in index.problems] == [
        ("missing", folder / "masks/2.png"),
        ("missing", folder / "bad/2.png"),
    ]
    assert [(s.image.name, s.mask) for s in index.samples] == [("1.png", None)]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("list.txt", "good/1.png", "ends with .csv or .jsonl"),
        ("list.csv", "", "no column 'image_path'"),
        ("list.csv", "image_path,label\n", "lists no images"),
        ("list.csv", "image_path\ngood/1.png\n", "no column 'label'"),
        ("list.csv", "image_path,label,mask\ngood/1.png,0,x\n", "unknown column 'mask'"),
        ("list.csv", "image_path,label\ngood/1.png\n", "Line 2 .* different number of cells"),
        ("list.csv", "image_path,label\ngood/1.png,0,nut\n", "Line 2 .* different number of cells"),
        ("list.csv", "image_path,label\ngood/1.png,2\n", "Line 2 .* label must be 0"),
        ("list.csv", "image_path,label\ngood/1.png,\n", "Line 2 .* label must be 0"),
        ("list.csv", "image_path,label\n,0\n", "Line 2 .* image_path is empty"),
        ("list.csv", "image_path,label\na,0\nb,0\na,1\n", "Lines 2 and 4 .* the same image"),
        ("list.csv", b"image_path,label\n\xff.png,0\n", "not encoded in UTF-8"),
        ("list.csv", 'image_path,label\n"a,0\n', "not valid CSV"),
        ("list.jsonl", "", "lists no images"),
        ("list.jsonl", '{"image_path": "a"}', "Line 1 .* no label"),
        ("list.jsonl", '{"label": 0}', "Line 1 .* no image_path"),
        ("list.jsonl", '\n{"image_path": "a", "label": 0', "Line 2 .* not valid JSON"),
        ("list.jsonl", "[1]", "Line 1 .* not a JSON object"),
        ("list.jsonl", '{"image_path": "a", "label": true}', "label must be 0"),
        ("list.jsonl", '{"image_path": "a", "label": [0]}', "label must be text"),
        ("list.jsonl", '{"image_path": 7, "label": 0}', "image_path must be text"),
        ("list.jsonl", '{"image_path": "a", "label": 0, "mask": "b"}', "unknown key 'mask'"),
        ("list.jsonl", b'{"image_path": "\xff", "label": 0}', "not encoded in UTF-8"),
    ],
)
def test_invalid_manifests_are_rejected_with_the_line_number(name, content, words, folder):
    with pytest.raises(DatasetError, match=words):
        read_manifest(write(folder, name, content))
