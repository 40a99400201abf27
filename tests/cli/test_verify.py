from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from support.samples import save_image

from moeclip_cli.runs.lock import WriterLock

OUT = Path("moeclip-out")


@pytest.fixture(params=["csv", "jsonl", "parquet"])
def scored(request, moeclip, standin, parts):
    """A finished run over five images and a file that is not an image."""
    (parts / "broken.png").write_text("not an image")
    options = ["--heatmaps", "--save-maps", "--report", "--format", request.param]
    assert moeclip("score", *standin.options, "parts", *options).exit_code == 3
    return OUT / f"results.{request.param}"


def test_a_whole_folder_is_complete(moeclip, scored, monkeypatch):
    result = moeclip("verify", OUT)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == (
        "moeclip-out is complete: 3 files, 6 rows, 1 unreadable, 5 heatmaps, 5 maps.\n"
    )
    folder = OUT.absolute()
    monkeypatch.chdir("/")
    assert moeclip("verify", folder).exit_code == 0
    found = json.loads(moeclip("verify", folder, "--json").stdout)
    assert (found["complete"], found["counts"]["rows"], found["problems"]) == (True, 6, [])


def change_a_row(table, parts):
    data = table.read_bytes()
    table.write_bytes(data.replace(b"normal", b"normaI").replace(b"anomalous", b"anomaIous"))


def remove_an_overlay(table, parts):
    (OUT / "heatmaps" / "d.png").unlink()


def add_an_overlay(table, parts):
    shutil.copy(OUT / "heatmaps" / "d.png", OUT / "heatmaps" / "e.png")


def remove_the_maps(table, parts):
    shutil.rmtree(OUT / "maps")


def remove_the_table(table, parts):
    table.unlink()


def change_an_image(table, parts):
    save_image(parts / "d.png", seed=99)


def remove_an_image(table, parts):
    (parts / "left" / "a.png").unlink()


def leave_a_temporary_file(table, parts):
    (OUT / "heatmaps" / ".0123456789abcdef.partial").touch()


def forget_the_end(table, parts):
    card = json.loads((OUT / "run.json").read_text())
    (OUT / "run.json").write_text(json.dumps(card | {"state": "running"}))


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (change_a_row, "files changed since the run finished (1): "),
        (remove_an_overlay, "overlays or maps are missing (1): moeclip-out/heatmaps/d.png"),
        (add_an_overlay, "overlays or maps without a row (1): moeclip-out/heatmaps/e.png"),
        (remove_the_maps, "overlays or maps are missing (5): "),
        (remove_the_table, "files are missing or unreadable (1): moeclip-out/results."),
        (change_an_image, "images changed since they were scored (1): parts/d.png"),
        (remove_an_image, "images are missing (1): parts/left/a.png"),
        (leave_a_temporary_file, "temporary files of a killed run (1): "),
        (forget_the_end, "the run is unfinished (1): moeclip-out"),
    ],
)
@pytest.mark.parametrize("scored", ["csv"], indirect=True)
def test_every_damage_is_named(moeclip, scored, parts, damage, sentence):
    damage(scored, parts)
    result = moeclip("verify", OUT)
    assert result.exit_code == 5
    assert sentence in " ".join(result.stderr.split())
    assert "moeclip-out is not complete" in result.stdout
    assert ": ." not in result.stdout
    without_inputs = moeclip("verify", OUT, "--no-inputs").exit_code
    assert without_inputs == (0 if damage in (change_an_image, remove_an_image) else 5)


@pytest.mark.parametrize("scored", ["csv"], indirect=True)
def test_a_row_that_was_removed_is_named(moeclip, scored):
    lines = scored.read_bytes().splitlines(keepends=True)
    scored.write_bytes(b"".join(lines[:-1]))
    result = moeclip("verify", OUT)
    assert "images without a row (1): parts/right/c.bmp" in result.stderr
    assert "5 rows instead of 6" in result.stderr


@pytest.mark.parametrize("scored", ["csv"], indirect=True)
def test_a_run_in_progress_is_named(moeclip, scored):
    with WriterLock.of_folder(OUT):
        result = moeclip("verify", OUT)
    assert result.exit_code == 5
    assert "a run is in progress" in result.stderr


def test_a_folder_without_a_run_card_is_refused(moeclip):
    result = moeclip("verify", "nowhere")
    assert result.exit_code == 2
    assert "run.json is missing or damaged" in " ".join(result.stderr.split())
