"""Images at URLs on the command line."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from moeclip_cli.cli import processes


@pytest.fixture
def run(moeclip, standin):
    def with_standin(command, *args, **kwargs):
        return moeclip(command, *args, *standin.options, **kwargs)

    return with_standin


@pytest.fixture
def served(web, memory, parts):
    """The pictures of `parts` on a web server and in an object store; gives their addresses."""
    for path in parts.rglob("*.*"):
        name = path.relative_to(parts).as_posix()
        web.files[f"/{name}"] = path.read_bytes()
        memory.pipe(f"/bucket/{name}", path.read_bytes())
    return [f"{web.url}{name}" for name in sorted(web.files)]


def rows(folder="moeclip-out"):
    with Path(folder, "results.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_images_at_urls_score_like_files(run, parts, served):
    assert run("score", parts, "--out", "local").exit_code == 0
    expected = [row["score"] for row in rows("local")]
    result = run("score", "memory://bucket", "--heatmaps", "--regions", "--out", "bucket")
    assert result.exit_code == 0, result.stderr
    assert [row["score"] for row in rows("bucket")] == expected
    names = [row["path"].removeprefix("memory://bucket/") for row in rows("bucket")]
    assert names == [str(Path(row["path"]).relative_to(parts)) for row in rows("local")]
    assert Path("bucket/heatmaps/left/a.png").exists()
    listed = "\n".join(f"memory://bucket/{name}" for name in names)
    result = run("score", "-", "--out", "listed", input=listed)
    assert result.exit_code == 0, result.stderr
    assert [row["score"] for row in rows("listed")] == expected


def test_what_cannot_be_read_is_a_row(run, web, served):
    web.statuses["/locked.png"] = 403
    urls = [*served[:2], f"{web.url}/none.png", f"{web.url}/locked.png", "http://127.0.0.1:1/a.png"]
    result = run("score", *urls, "--heatmaps", "--report")
    assert result.exit_code == 3
    errors = [row["error"] for row in rows()]
    assert errors[:2] == ["", ""]
    assert [error.partition(";")[0] for error in errors[2:4]] == [
        "Not found (404)",
        "The server denies access (403)",
    ]
    assert errors[4].startswith("The server cannot be reached")


def test_a_resumed_run_reads_what_is_new_or_changed(run, web, served, parts):
    options = ("--heatmaps", "--batch-size", 1)
    missing = f"{web.url}/later.png"
    assert run("score", *served, missing, *options).exit_code == 3
    web.files["/later.png"] = (parts / "d.png").read_bytes()
    web.files["/d.png"] = (parts / "left/a.png").read_bytes()
    web.requests.clear()
    result = run("score", *served, missing, *options, "--resume")
    assert result.exit_code == 0, result.stderr
    read = [each for each in web.requests if each.startswith("GET")]
    assert sorted(read) == ["GET /d.png", "GET /later.png"]  # once each, the overlay included
    assert [row["path"] for row in rows()] == [*served, missing]


def test_no_file_of_a_run_has_a_password(run, web, served, monkeypatch):
    urls = [url.replace("http://", "http://kim:s3cret@") + "?sig=s3cret" for url in served]
    urls.append(urls[0].replace("d.png", "none.png"))
    monkeypatch.setattr(processes.sys, "argv", ["moeclip", "score", *urls])
    result = run("score", *urls, "--report", "--regions", "--json", "--verbose")
    assert result.exit_code == 3
    assert [row["path"] for row in rows()][:5] == served
    assert "s3cret" not in result.output
    for path in Path("moeclip-out").rglob("*.*"):
        assert b"s3cret" not in path.read_bytes(), path


def test_references_and_profiles_take_urls(run, served):
    result = run("score", served[0], "--reference", "memory://bucket/right")
    assert result.exit_code == 0, result.stderr
    made = run("calibrate", "memory://bucket", "-a", 0.2)
    assert made.exit_code == 0, made.stderr
    assert run("heatmap", served[0]).exit_code == 0
    compared = run("score", *served, "--mutual", "--out", "mutual")
    assert compared.exit_code == 0, compared.stderr


def test_runs_at_urls_are_recut_and_verified(run, moeclip, served):
    assert run("score", "memory://bucket", "--heatmaps", "--keep-maps").exit_code == 0
    made = moeclip("recut", "moeclip-out", "--threshold", 0.1)
    assert made.exit_code == 0, made.stderr
    checked = moeclip("verify", "moeclip-out", "--inputs")
    assert checked.exit_code == 0, checked.output


def test_mistakes_are_refused_in_one_sentence(run, memory):
    for url, sentence in [
        ("ftpx://host/a.png", "ftpx:// addresses cannot be read; use https://"),
        ("gs://bucket/a.png", "gs:// addresses need gcsfs; install it with: pip install gcsfs"),
    ]:
        result = run("score", url)
        assert result.exit_code == 2
        assert sentence in " ".join(result.stderr.replace("│", " ").split())
