from __future__ import annotations

import os

import pytest
from support.review import row_of

from moeclip_cli.errors import UsageError
from moeclip_cli.reports.tables.csv_table import CsvTable
from moeclip_cli.review.labels import ChangedError, LabelJournal

STRANGE = ['a,b "c".png', "=cmd.png", "two\nlines\x1b.png", "ü/漢.png", os.fsdecode(b"x\xfe.png")]


def labels(folder, *paths):
    with LabelJournal(folder) as journal:
        return [journal.label(path) for path in paths]


def test_the_last_label_of_a_path_counts_and_survives(tmp_path):
    with LabelJournal(tmp_path) as journal:
        journal.give("a.png", "good")
        journal.give("b.png", "unsure")
        journal.give("a.png", "bad")
        journal.give("b.png", "")
        assert journal.since(2) == ({"a.png": "bad", "b.png": ""}, 4)
    assert labels(tmp_path, "a.png", "b.png", "c.png") == ["bad", "", ""]
    lines = (tmp_path / "labels.csv").read_text().splitlines()
    assert [line.rpartition(",")[0] for line in lines] == [
        "path,label", "a.png,good", "b.png,unsure", "a.png,bad", "b.png,",
    ]  # fmt: skip


@pytest.mark.parametrize("path", STRANGE)
def test_any_path_is_written_as_in_the_results_and_read_back(tmp_path, path):
    with LabelJournal(tmp_path) as journal:
        journal.give(path, "good")
    assert labels(tmp_path, path) == ["good"]
    with CsvTable(tmp_path / "results.csv", resume=False) as table:
        table.write([row_of(path, 0.5)])
    cells = [
        (tmp_path / name).read_text().splitlines()[1].rpartition(follows)[0]
        for name, follows in (("labels.csv", ",good,"), ("results.csv", ",0.5,anomalous"))
    ]
    assert cells[0] == cells[1] != ""


def test_a_line_that_was_cut_anywhere_costs_this_label_only(tmp_path):
    file = tmp_path / "labels.csv"
    with LabelJournal(tmp_path) as journal:
        journal.give("a.png", "good")
        first = file.stat().st_size
        journal.give("b.png", "bad")
    whole = file.read_bytes()
    for length in range(first, len(whole)):
        file.write_bytes(whole[:length])
        with LabelJournal(tmp_path) as journal:
            assert journal.label("a.png") == "good"
            kept = journal.label("b.png")
            assert kept in ("", "bad")
            journal.give("c.png", "unsure")
        assert labels(tmp_path, "a.png", "b.png", "c.png") == ["good", kept, "unsure"]


@pytest.mark.parametrize("length", [0, 4, 15, 16, 17])
def test_a_header_that_was_cut_is_written_again(tmp_path, length):
    (tmp_path / "labels.csv").write_bytes(b"path,label,time\r\n"[:length])
    with LabelJournal(tmp_path) as journal:
        journal.give("a.png", "good")
    assert (tmp_path / "labels.csv").read_bytes().startswith(b"path,label,time\r\na.png,good,20")


def test_a_file_that_was_saved_by_an_editor_is_read(tmp_path):
    content = "\ufeffpath,label,time\na.png,good,2026-01-31T14:05:00+00:00\n"
    (tmp_path / "labels.csv").write_text(content)
    assert labels(tmp_path, "a.png") == ["good"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("name,class\nx,1\n", "its first line is not path,label,time"),
        ("path,label,time\nx.png,fine,2026-01-31\n", "Line 2 of"),
        ("path,label,time\nx.png,good\ny.png,bad,2026-01-31\n", "Line 2 of"),
    ],
)
def test_a_file_with_other_content_is_refused_and_stays(tmp_path, content, said):
    (tmp_path / "labels.csv").write_text(content)
    with pytest.raises(UsageError, match=said):
        LabelJournal(tmp_path)
    assert (tmp_path / "labels.csv").read_text() == content
    assert [path.name for path in tmp_path.iterdir()] == ["labels.csv"]


def test_a_label_that_has_changed_is_not_replaced(tmp_path):
    with LabelJournal(tmp_path) as journal:
        journal.give("a.png", "good")
        with pytest.raises(ChangedError) as refused:
            journal.give("a.png", "", was="bad")
        assert refused.value.label == "good"
        journal.give("a.png", "", was="good")
        assert journal.label("a.png") == ""


def test_there_is_one_writer(tmp_path):
    with LabelJournal(tmp_path), pytest.raises(UsageError, match="is writing to"):
        LabelJournal(tmp_path)
    assert labels(tmp_path, "a.png") == [""]


def test_labels_that_cannot_be_kept_are_not_given(tmp_path):
    journal = LabelJournal(tmp_path)
    (tmp_path / "labels.csv").unlink()
    with pytest.raises(UsageError, match="was removed or replaced"):
        journal.give("a.png", "good")
    assert journal.label("a.png") == ""
