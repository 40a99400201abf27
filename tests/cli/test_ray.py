"""`--ray`: refusals, and runs on a real cluster whose actors are killed."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

import pytest
from support.benchmark_data import numbers, own_folder
from support.samples import save_image

SLOW = pytest.mark.slow


@pytest.fixture
def images(tmp_path):
    """60 images in batches of about two, and one file that is not an image."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(60):
        save_image(folder / f"{number:02}.png", seed=number, width=300, height=260)
    (folder / "30.png").write_bytes(b"not a picture")
    return folder


def files(out):
    """All files of a run by their names; the card without time and command."""
    found = {path.relative_to(out): path for path in out.rglob("*") if path.is_file()}
    contents = {str(name): path.read_bytes() for name, path in found.items()}
    card = json.loads(contents.pop("run.json"))
    for name in ("seconds", "images_per_second"):
        del card["summary"][name]
    del card["environment"]
    return contents | {"card": card}


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--actors", "2"), "give its --ray address"),
        (("--ray", "here"), "--ray must be local, auto, HOST:PORT or ray://HOST:PORT, not 'here'"),
        (("--ray", "local", "--mutual"), "omit --ray"),
        (("--ray", "local", "--device", "cuda:1"), "Ray gives each actor its GPU"),
    ],
)
def test_what_cannot_be_combined_is_refused(moeclip, parts, args, message):
    result = moeclip("score", parts, *args)
    assert result.exit_code == 2
    assert message in result.stderr


def test_without_ray_the_error_says_how_to_install_it(moeclip, parts, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    result = moeclip("score", parts, "--ray", "local")
    assert result.exit_code == 2
    assert 'pip install "moeclip[ray]"' in result.stderr


@SLOW
def test_a_killed_actor_changes_nothing_and_a_cluster_resumes_another_run(
    moeclip, standin, images, small_cluster
):
    command = ["score", images, *standin.options, "--heatmaps", "--report", "--json"]
    on_cluster = ["--ray", small_cluster.address, "--actors", "2"]
    plain = moeclip(*command, "--out", "out")
    expected = files(Path("out"))
    Path("out").rename("plain")

    def kill():
        try:
            small_cluster.kill_actor("ScoringActor.work")
        except AssertionError as error:
            failed.append(error)

    failed = []
    killer = threading.Thread(target=kill)
    killer.start()
    killed = moeclip(*command, "--out", "out", *on_cluster)
    killer.join()
    assert (killed.exit_code, failed) == (plain.exit_code, []), killed.stderr
    assert plain.exit_code == 3
    assert "A task was lost on the Ray cluster" in killed.stderr
    assert killed.stdout == plain.stdout
    found = files(Path("out"))
    assert found.keys() == expected.keys()
    for page in (found, expected):  # names the device and the time
        del page["report.html"], page["card"]["files"]["report.html"]
    assert found == expected
    assert moeclip("verify", "out").exit_code == 0

    moeclip(*command, "--out", "resumed", "--limit", "21")
    resumed = moeclip(*command, "--out", "resumed", "--resume", *on_cluster)
    assert "images of the earlier run" not in resumed.stderr
    again = files(Path("resumed"))
    del again["report.html"], again["card"]["files"]["report.html"]
    assert again == expected


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--processes", "2"), "omit --processes"),
        (("--self-check",), "--self-check takes one model and one process"),
    ],
)
def test_benchmarks_refuse_what_cannot_be_combined(moeclip, args, message):
    names = [] if "--self-check" in args else ["mvtec"]
    result = moeclip("benchmark", *names, "--ray", "local", *args)
    assert result.exit_code == 2
    assert message in result.stderr


@SLOW
def test_a_benchmark_gives_the_numbers_of_one_process(
    moeclip, start_moeclip, standin, tmp_path, small_cluster
):
    """With a killed actor, an unreadable image, and one category that an earlier run has kept."""
    for name in ("parts", "few", "more"):
        own_folder(tmp_path / name)
    (tmp_path / "few/bad/1.png").write_bytes(b"not a picture")
    command = ["benchmark", "--data", "parts", "--data", "few", "--data", "more", *standin.options]
    plain = moeclip(*command, "--out", "one")
    failed = []

    def kill():
        try:
            small_cluster.kill_actor("BenchmarkActor.work")
        except AssertionError as error:
            failed.append(error)

    killer = threading.Thread(target=kill)
    killer.start()
    on_cluster = ["--ray", small_cluster.address, "--actors", "2"]
    found = moeclip(*command, "--out", "two", *on_cluster)
    killer.join()
    assert (found.exit_code, failed) == (plain.exit_code, []), found.stderr
    assert plain.exit_code == 3
    assert "A task was lost on the Ray cluster" in found.stderr
    assert numbers(Path("two")) == numbers(Path("one"))
    assert "2 Ray actors" in Path("two/report.html").read_text(encoding="utf-8")


@SLOW
def test_heatmaps_are_those_of_one_process(moeclip, standin, parts, small_cluster):
    on_cluster = ["--ray", small_cluster.address]
    options = [parts, *standin.options]
    moeclip("heatmap", *options, "--sheet", "--out", "one")
    drawn = moeclip("heatmap", *options, "--sheet", "--out", "two", *on_cluster)
    assert drawn.exit_code == 0, drawn.stderr
    pictures = [
        {str(path.relative_to(out)): path.read_bytes() for path in Path(out).rglob("*.png")}
        for out in ("one", "two")
    ]
    assert len(pictures[0]) == 10
    assert pictures[0] == pictures[1]


@SLOW
def test_references_are_compared_as_in_one_process(moeclip, parts, small_cluster):
    options = ["score", parts, "--reference", parts / "left", "--image-size", "112"]
    plain = moeclip(*options, "--out", "one")
    found = moeclip(*options, "--out", "two", "--ray", small_cluster.address)
    assert found.exit_code == 0, found.stderr
    assert found.stdout == plain.stdout
    assert Path("one/results.csv").read_bytes() == Path("two/results.csv").read_bytes()
