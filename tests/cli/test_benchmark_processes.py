"""`moeclip benchmark` in several processes; real ones, each of which imports torch."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest
import torch
from support.benchmark_data import OUT, build_all, numbers, own_folder
from support.standins import authors_checkpoint
from typer.testing import CliRunner


def processes_under(parent: int) -> list[int]:
    """The processes that one started and that are not gone, by what the kernel says."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, its_parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:  # ended meanwhile
            continue
        if int(its_parent) == parent and state != "Z":
            found.append(int(stat.parent.name))
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition, process=None, seconds: float = 600) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        ended = process is not None and process.poll() is not None
        assert not ended, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def kept() -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in (OUT / "categories").rglob("*.json")}


@pytest.fixture(scope="module")
def long_run(standin, tmp_path_factory):
    """The arguments of a benchmark that is long enough to be stopped in the middle."""
    data = build_all(tmp_path_factory.mktemp("data"), names=("mvtec",), per_label=8)
    return [
        "benchmark", "mvtec", "--data-root", str(data), *standin.options, "--batch-size", "1",
        "--workers", "1",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def uninterrupted(long_run, tmp_path_factory):
    """The numbers of the long run, if nothing stops it."""
    from moeclip_cli.cli.app import app

    out = tmp_path_factory.mktemp("uninterrupted") / "out"
    result = CliRunner().invoke(app, [*long_run, "--out", str(out)], prog_name="moeclip")
    assert result.exit_code == 0, result.stderr
    return numbers(out)


@pytest.mark.slow
def test_two_processes_give_the_results_of_one(start_moeclip, moeclip, standin, tmp_path):
    """With unreadable images in both shares, and a category that one of the two does alone."""
    build_all(tmp_path / "data", names=("rsdd",), per_label=4)
    folder = own_folder(tmp_path / "parts")
    (folder / "bad" / "1.png").write_bytes(b"not a picture")
    (folder / "masks" / "2.png").write_bytes(b"nor this")
    few = own_folder(tmp_path / "few")
    for name in ("good/1.png", "good/2.png", "bad/1.png", "bad/2.png"):
        (few / name).unlink()
    command = [
        "benchmark", "rsdd", "--data", "parts", "--data", "few", "--protocol", "both",
        *standin.options, "--batch-size", "2", "--workers", "1",
    ]  # fmt: skip
    process = start_moeclip(*command, "--processes", "2", "--out", "two")
    shown, said = process.communicate(timeout=600)
    one = moeclip(*command, "--out", "one")
    assert process.returncode == one.exit_code == 3, said
    assert numbers(Path("two")) == numbers(Path("one"))
    assert [len(each["errors"]) for each in numbers(Path("two"))["categories"]] == [0, 2, 0]
    ours, expected = (text.replace("two", "one").splitlines() for text in (said, one.stderr))
    assert ours == expected
    assert shown.splitlines()[:-1] == one.stdout.splitlines()[:-1]
    card = json.loads(Path("two/run.json").read_text())
    assert (card["state"], card["environment"]["processes"]) == ("finished", 2)
    page = Path("two/report.html").read_text(encoding="utf-8")
    assert ", 2 processes" in page


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_stopped_it_leaves_no_process_and_goes_on_in_any_number_of_them(
    start_moeclip, moeclip, long_run, uninterrupted, how
):
    process = start_moeclip(*long_run, "--processes", "2")
    wait_until(lambda: len(kept()) >= 2, process)
    workers = processes_under(process.pid)
    assert len(workers) == 2
    process.send_signal(how)
    _, said = process.communicate(timeout=600)
    wait_until(lambda: not any(map(alive, workers)), seconds=600)
    if how == signal.SIGINT:
        assert process.returncode == 130, said
    assert said.count("the same command continues from there") == 1
    assert "Traceback" not in said
    before = kept()
    assert 2 <= len(before) < 15
    assert not (OUT / "results.json").exists()

    if how == signal.SIGINT:
        assert moeclip(*long_run).exit_code == 0
    else:
        again = start_moeclip(*long_run, "--processes", "2")
        assert again.wait(timeout=600) == 0, again.communicate()
    assert before.items() <= kept().items()
    assert numbers(OUT) == uninterrupted


@pytest.mark.slow
def test_what_one_process_meets_ends_the_run_with_its_message(start_moeclip, standin, tmp_path):
    """The first process has no share of so few images, and only hears that the other has ended."""
    checkpoint = authors_checkpoint("small")
    checkpoint["image_adapter"]["seg_proj.0.fc.weight"].fill_(3e38)
    torch.save(checkpoint, tmp_path / "broken.pth")
    own_folder(tmp_path / "parts")
    options = [*standin.options[2:], "--model", "broken.pth", "--batch-size", "6", "--workers", "1"]
    process = start_moeclip("benchmark", "--data", "parts", *options, "--processes", "2")
    _, said = process.communicate(timeout=600)
    assert process.returncode == 4, said
    assert said.count("its numbers are not finite") == 1
    assert "Traceback" not in said


@pytest.mark.slow
def test_a_killed_process_ends_the_others(start_moeclip, long_run):
    process = start_moeclip(*long_run, "--processes", "2")
    wait_until(lambda: kept(), process)
    workers = processes_under(process.pid)
    os.kill(max(workers), signal.SIGKILL)
    _, said = process.communicate(timeout=600)
    assert process.returncode == 69, said
    assert "of 2 was terminated by SIGKILL" in said
    assert not any(map(alive, workers))
