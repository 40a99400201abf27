from __future__ import annotations

import hashlib
import json
import os
import shutil

import pytest

from moeclip_cli.checkpoints.builtin import EARLIER_DIGESTS
from moeclip_cli.errors import UsageError
from moeclip_cli.runs.folder import RunFolder, RunKind
from moeclip_cli.runs.run_card import read_card

PLAIN = RunKind(
    "run", "prompt", ("results.csv",), ("maps",), how_to_resume="`resume` to continue it"
)
CAREFUL = RunKind(
    "training",
    "training",
    ("model.bin",),
    ("samples",),
    may_differ=("epochs",),
    settings_file="train.toml",
    needs_card=True,
)
SETTINGS = {PLAIN: {"prompt": "bolt"}, CAREFUL: {"training": {"rate": 0.1, "net": {"rank": 4}}}}


def claim(path, kind=PLAIN, settings=None, **options):
    return RunFolder.claim(path, kind, settings or SETTINGS[kind], {"device": "cpu"}, **options)


def leave_results(path, kind):
    """An earlier run with a file and a picture."""
    folder = claim(path, kind)
    for name in kind.files:
        (path / name).write_text("earlier")
    (path / kind.folders[0]).mkdir()
    (path / kind.folders[0] / "a.png").write_text("earlier")
    return folder


def test_an_empty_folder_is_claimed_and_marked(tmp_path):
    folder = claim(tmp_path / "new" / "out")
    assert not folder.resumed
    assert read_card(folder.path)["state"] == "running"
    assert claim(tmp_path / "other", resume=True).resumed is False


@pytest.mark.parametrize("kind", [PLAIN, CAREFUL])
@pytest.mark.parametrize(("finished", "state"), [(True, "a finished"), (False, "an unfinished")])
def test_results_are_neither_overwritten_nor_resumed_without_request(
    kind, finished, state, tmp_path
):
    folder = leave_results(tmp_path, kind)
    if finished:
        folder.finish({})
    folder.close()
    with pytest.raises(UsageError, match=f"contains {state} {kind.noun}; use .*`overwrite`"):
        claim(tmp_path, kind)
    assert (tmp_path / kind.files[0]).read_text() == "earlier"


@pytest.mark.parametrize("kind", [PLAIN, CAREFUL])
def test_overwrite_removes_the_results_and_nothing_else(kind, tmp_path):
    leave_results(tmp_path, kind)
    (tmp_path / "notes.txt").write_text("mine")
    assert not claim(tmp_path, kind, overwrite=True).resumed
    assert not (tmp_path / kind.files[0]).exists()
    assert not (tmp_path / kind.folders[0]).exists()
    assert (tmp_path / "notes.txt").exists()


@pytest.mark.parametrize("options", [{}, {"overwrite": True}, {"overwrite": True, "resume": True}])
def test_results_of_another_command_are_never_replaced(options, tmp_path):
    leave_results(tmp_path, CAREFUL)
    before = (tmp_path / "run.json").read_bytes()
    with pytest.raises(UsageError, match="results of another command; choose another `out`"):
        claim(tmp_path, PLAIN, **options)
    assert (tmp_path / "run.json").read_bytes() == before


@pytest.mark.parametrize("name", ["model.bin", "samples", "run.json"])
def test_files_without_a_card_are_protected(name, tmp_path):
    (tmp_path / name).write_text("mine")
    for options in ({}, {"overwrite": True}):
        with pytest.raises(UsageError, match="that a training would overwrite; choose another"):
            claim(tmp_path, CAREFUL, **options)
    assert (tmp_path / name).read_text() == "mine"


def test_overwrite_without_a_card_removes_files_but_no_folder(tmp_path):
    (tmp_path / "results.csv").write_text("earlier")
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "holiday.png").write_text("mine")
    with pytest.raises(UsageError, match="use `overwrite` to replace them"):
        claim(tmp_path)
    claim(tmp_path, overwrite=True)
    assert not (tmp_path / "results.csv").exists()
    assert (tmp_path / "maps" / "holiday.png").read_text() == "mine"


def test_resume_keeps_the_results(tmp_path):
    leave_results(tmp_path, PLAIN)
    assert claim(tmp_path, resume=True).resumed
    assert (tmp_path / "results.csv").read_text() == "earlier"


def test_a_run_of_an_earlier_built_in_model_is_resumed(tmp_path):
    earlier, present = next(iter(EARLIER_DIGESTS.items()))
    claim(tmp_path, settings={"prompt": "bolt", "model_digest": earlier}).close()
    settings = {"prompt": "bolt", "model_digest": present}
    assert claim(tmp_path, settings=settings, resume=True).resumed


def test_a_kind_that_needs_a_card_has_nothing_to_resume_without_one(tmp_path):
    with pytest.raises(UsageError, match="There is no training in .* to resume"):
        claim(tmp_path / "none", CAREFUL, resume=True)
    assert not (tmp_path / "none").exists()


def test_a_refusal_to_resume_names_files_beside_their_digests(tmp_path):
    before = {"prompt": "nut", "model": "a.pth", "model_digest": "1" * 64}
    claim(tmp_path, PLAIN, before).close()

    def refusal(**changes):
        with pytest.raises(UsageError) as refused:
            claim(tmp_path, PLAIN, before | changes, resume=True)
        return str(refused.value)

    other = refusal(model_digest="2" * 64)
    assert "model was a.pth (SHA-256 11111111...), now it is a.pth (SHA-256 22222222...)" in other
    named = refusal(model="b.pth", model_digest="2" * 64)
    assert "its model was a.pth, now it is b.pth. Use" in named


def test_resume_requires_equal_settings_and_names_those_that_differ(tmp_path):
    leave_results(tmp_path, CAREFUL)
    other = {"training": {"rate": 0.1, "net": {"rank": 8}, "size": 5}}
    with pytest.raises(UsageError) as refusal:
        claim(tmp_path, CAREFUL, other, resume=True)
    assert "its rank was 4, now it is 8; its size was not set, now it is 5" in str(refusal.value)
    assert str(tmp_path / "train.toml") in str(refusal.value)
    assert "size" not in json.dumps(read_card(tmp_path))


def test_settings_that_may_differ_are_updated_on_the_card(tmp_path):
    longer = {"training": {"rate": 0.1, "net": {"rank": 4}, "epochs": 20}}
    leave_results(tmp_path, CAREFUL)
    assert claim(tmp_path, CAREFUL, longer, resume=True).resumed
    assert read_card(tmp_path)["settings"] == longer


def test_a_tuple_equals_the_list_that_the_card_has(tmp_path):
    claim(tmp_path, settings={"prompt": "bolt", "layers": (2, 4)})
    assert claim(tmp_path, settings={"prompt": "bolt", "layers": (2, 4)}, resume=True).resumed


def test_a_second_run_is_refused_until_the_first_one_ends(tmp_path):
    folder = claim(tmp_path / "out")
    for options in ({}, {"resume": True}, {"overwrite": True}):
        with pytest.raises(
            UsageError, match=rf"^Another moeclip \(process {os.getpid()} on .*`out`"
        ):
            claim(tmp_path / "out", **options)
    folder.close()
    claim(tmp_path / "out", resume=True).close()


def test_a_refused_folder_stays_as_it_is(tmp_path):
    (tmp_path / "results.csv").write_text("mine")
    with pytest.raises(UsageError):
        claim(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["results.csv"]


def test_files_that_killed_runs_were_writing_are_removed(tmp_path):
    leave_results(tmp_path, PLAIN).close()
    stray = [
        tmp_path / ".0123456789abcdef.partial",
        tmp_path / "maps" / ".ffffffffffffffff.partial",
    ]
    others = [tmp_path / "my.partial", tmp_path / "mine" / ".0123456789abcdef.partial"]
    for path in (*stray, *others):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    claim(tmp_path, resume=True)
    assert not any(path.exists() for path in stray)
    assert all(path.exists() for path in others)


def test_a_run_cannot_finish_in_a_folder_that_was_removed(tmp_path):
    folder = claim(tmp_path / "out")
    shutil.rmtree(tmp_path / "out")
    with pytest.raises(UsageError, match="removed or replaced during the run"):
        folder.finish({})
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("options", [{}, {"resume": True}, {"overwrite": True}])
def test_a_name_that_is_too_long_is_one_sentence(options, tmp_path):
    with pytest.raises(UsageError, match=r"the path is too long; choose a shorter `out`\.$"):
        claim(tmp_path / ("x" * 5000), **options)


def test_a_folder_behind_a_closed_one_is_one_sentence(public_folder, without_rights):
    (public_folder / "closed").mkdir(mode=0)
    with (
        without_rights(),
        pytest.raises(UsageError, match=r"permission denied; choose another `out`\.$"),
    ):
        claim(public_folder / "closed" / "out", resume=True)


@pytest.mark.parametrize("kind", [PLAIN, CAREFUL])
@pytest.mark.parametrize("content", [b"", b'{"state": "run', None])
def test_a_missing_or_damaged_card_is_named(kind, content, tmp_path):
    leave_results(tmp_path, kind).close()
    if content is None:
        (tmp_path / "run.json").unlink()
    else:
        (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(
        UsageError, match=r"run\.json is missing or damaged, .* choose another `out`"
    ):
        claim(tmp_path, kind, resume=True)
    assert (tmp_path / kind.files[0]).read_text() == "earlier"


def test_finishing_records_digests_of_the_files(tmp_path):
    folder = leave_results(tmp_path, PLAIN)
    folder.finish({"images": 1})
    digest = hashlib.sha256(b"earlier").hexdigest()
    assert read_card(tmp_path)["files"] == {"results.csv": digest}
