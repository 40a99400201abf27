"""`moeclip benchmark` that was stopped goes on; one that is finished is not overwritten."""

from __future__ import annotations

import json
import re
import shutil
import signal
import time

import pytest
from support.benchmark_data import OUT, build_all, find, own_folder, read
from typer.testing import CliRunner

from moeclip_cli.runs.lock import WriterLock

FILES = ("results.json", "results.csv", "results.md", "report.html")
TWO = ("mvtec", "rsdd", "--protocol", "both", "--batch-size", "1", "--workers", "1")


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return build_all(tmp_path_factory.mktemp("data"), names=TWO[:2])


@pytest.fixture(scope="module")
def whole(tree, standin, tmp_path_factory):
    """The files of a run that nothing interrupted."""
    from moeclip_cli.cli.app import app

    out = tmp_path_factory.mktemp("whole") / "out"
    args = ["benchmark", *TWO, *standin.options, "--data-root", str(tree), "--out", str(out)]
    assert CliRunner().invoke(app, args, prog_name="moeclip").exit_code == 0
    return comparable(out)


def comparable(out):
    """The files of a run without the time and the folder it was started in and its command line."""
    environment = read(out)["card"]["environment"]
    texts = {name: (out / name).read_text(encoding="utf-8") for name in FILES}
    for name, text in texts.items():
        text = text.replace(environment["started"], "STARTED")
        text = re.sub(rf"{re.escape(environment['directory'])}(?=[\n<\",])", "DIRECTORY", text)
        texts[name] = re.sub(r"pytest[^\n<,]*|moeclip benchmark [^\n<,]*", "COMMAND", text)
    return texts


def wait_for(process, count):
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and process.poll() is None:
        kept = len(list((OUT / "categories").rglob("*.json")))
        if (OUT / "run.json").exists() and kept >= count:
            return
        time.sleep(0.01)
    raise AssertionError(process.communicate())


def test_a_finished_run_is_not_overwritten_by_accident(benchmark, moeclip, tmp_path):
    folder = own_folder(tmp_path / "parts")
    benchmark("--data", folder)
    before = (OUT / "results.json").read_bytes()
    refused = benchmark("--data", folder)
    assert refused.exit_code == 2
    assert "--overwrite" in refused.stderr
    assert (OUT / "results.json").read_bytes() == before
    assert moeclip("verify", OUT).stdout == f"{OUT} is complete: 4 files.\n"
    with WriterLock.of_folder(OUT):
        refused = benchmark("--data", folder, "--overwrite")
    assert refused.exit_code == 2
    assert "Another moeclip" in refused.stderr
    assert benchmark("--data", folder, "--protocol", "paper", "--overwrite").exit_code == 0
    assert find(kind="category")["image_auroc"] is not None


@pytest.mark.parametrize(
    ("finished", "how"), [(0, signal.SIGKILL), (5, signal.SIGKILL), (2, signal.SIGINT)]
)
def test_a_run_that_was_stopped_goes_on_and_ends_with_the_same_files(
    moeclip, start_moeclip, standin, tree, whole, finished, how
):
    """Stopped at any moment: within the first category, or after some were finished."""
    command = ["benchmark", *TWO, *standin.options, "--data-root", str(tree)]
    process = start_moeclip(*command)
    wait_for(process, finished)
    process.send_signal(how)
    _, errors = process.communicate()
    if how == signal.SIGINT:
        assert process.returncode == 130, errors
        assert "the same command continues from there" in errors
    kept = {path: path.stat().st_mtime_ns for path in (OUT / "categories").rglob("*.json")}
    assert finished <= len(kept) < 16
    assert not (OUT / "results.json").exists()
    other = moeclip(*command, "--limit", "1")
    assert other.exit_code == 2
    assert "limit was not set, now it is 1" in other.stderr
    assert moeclip(*command).exit_code == 0
    assert all(path.stat().st_mtime_ns == before for path, before in kept.items())
    assert comparable(OUT) == whole


def test_a_changed_image_is_evaluated_again_after_a_kill(benchmark, tmp_path):
    folder = own_folder(tmp_path / "parts")
    benchmark("--data", folder)
    card = json.loads((OUT / "run.json").read_text())
    (OUT / "run.json").write_text(json.dumps(card | {"state": "running"}))
    shutil.copy(folder / "good" / "0.png", folder / "bad" / "0.png")
    before = find(kind="category")
    assert benchmark("--data", folder).exit_code == 0
    assert find(kind="category") != before
