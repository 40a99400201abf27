from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest

from moeclip_cli.discovery.inputs import ImageRef
from moeclip_cli.runs.folder import RunFolder
from moeclip_cli.runs.kinds import SCORE
from moeclip_cli.runs.run_card import read_card
from moeclip_cli.runs.score_run import Outputs, report_facts, run_score, score_settings
from moeclip_cli.runs.stream import Pace


@pytest.fixture
def refs(parts):
    paths = sorted(path for path in parts.rglob("*.*") if path.is_file())
    return [ImageRef(path, str(path.relative_to(parts))) for path in paths]


def run(inspector, refs, out, outputs, *, resume=False):
    settings = score_settings(inspector, outputs, prompt="bolt", prompt_rules=None)
    folder = RunFolder.claim(out, SCORE, settings, {}, resume=resume)
    observed = []
    summary = run_score(
        inspector, refs, lambda path: "bolt", folder, outputs, Pace(2, 1), observed.append
    )
    return summary, observed


def rows(out):
    with (out / "results.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_row_a_picture_and_a_map_for_every_image(inspector, refs, tmp_path):
    outputs = Outputs(heatmaps="png", save_maps=True)
    outputs = replace(outputs, report=report_facts(inspector, "bolt", mixed=True))
    summary, observed = run(inspector, refs, tmp_path / "out", outputs)
    assert [row["path"] for row in rows(tmp_path / "out")] == [str(ref.path) for ref in refs]
    assert [result.path for result in observed] == [str(ref.path) for ref in refs]
    assert summary.images == summary.scored_now == len(refs)
    assert len(list((tmp_path / "out" / "heatmaps").rglob("*.png"))) == len(refs)
    maps = [np.load(path) for path in (tmp_path / "out" / "maps").rglob("*.npy")]
    assert len(maps) == len(refs)
    assert {values.shape for values in maps} == {(70, 70)}
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "bolt, and others by rule" in page
    card = read_card(tmp_path / "out")
    assert (card["state"], card["summary"]["images"]) == ("finished", len(refs))


def test_a_resumed_run_scores_only_batches_that_are_not_complete(inspector, refs, tmp_path):
    run(inspector, refs[:3], tmp_path / "out", Outputs())
    summary, observed = run(inspector, refs, tmp_path / "out", Outputs(), resume=True)
    assert (summary.images, summary.scored_now) == (len(refs), len(refs) - 2)
    assert [result.path for result in observed] == [str(ref.path) for ref in refs[2:]]


def test_everything_that_changes_a_row_or_a_file_is_a_setting(inspector):
    def settings(outputs=None, **changes):
        given = {"prompt": "bolt", "prompt_rules": None} | changes
        return score_settings(inspector, outputs or Outputs(), **given)

    assert settings() == settings()
    for other in (
        settings(Outputs("jsonl")),
        settings(Outputs(heatmaps="png")),
        settings(Outputs(save_maps=True)),
        settings(prompt="nut"),
        settings(prompt_rules="*.png nut"),
    ):
        assert other != settings()
    assert settings(Outputs(report=report_facts(inspector, "bolt", mixed=False))) == settings()
