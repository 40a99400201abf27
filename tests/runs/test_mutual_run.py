"""Comparisons within a run: subsets that are finished are kept, and every end is the same."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from support.outputs import content
from support.samples import save_image

from moeclip_cli import MutualInspector
from moeclip_cli.discovery.source import find_images
from moeclip_cli.inspection import subsets
from moeclip_cli.runs.folder import RunFolder
from moeclip_cli.runs.kinds import SCORE
from moeclip_cli.runs.mutual_run import Watch, compare_folder
from moeclip_cli.runs.score_run import Outputs, run_score, score_settings
from moeclip_cli.runs.stream import Pace

PACE = Pace(2, 1)
OUTPUTS = Outputs(heatmaps="png")


@pytest.fixture(scope="session")
def mutual(standin):
    return MutualInspector.load(
        str(standin.model), backbone_weights=standin.backbone, image_size=70, device="cpu"
    )


@pytest.fixture(autouse=True)
def _small_subsets(monkeypatch):
    """Subsets of at most four images."""
    monkeypatch.setattr(subsets, "LARGEST_SUBSET", 4)


@pytest.fixture
def score(mutual):
    """Run: score("out", "images") -> scored names, compared subsets, remarks, forecasts."""

    def run(out, images, *, stop_in=None, stop_after=None, **options):
        refs = find_images([str(images)], exclude=Path(out))
        settings = score_settings(mutual, OUTPUTS, prompt="bolt", prompt_rules=None)
        scored, compared, remarks, forecasts = [], [], [], []

        def progress(activity, done, total, subset, subsets):
            if subset not in compared:
                compared.append(subset)
            if subset == stop_in:
                raise KeyboardInterrupt

        def observe(result):
            scored.append(Path(result.path).name)
            if len(scored) == stop_after:
                raise KeyboardInterrupt

        with RunFolder.claim(Path(out), SCORE, settings, {}, **options) as folder:
            watch = Watch(progress, forecasts.append, remarks.append)
            results = compare_folder(mutual, refs, folder, PACE, watch)
            run_score(
                results, refs, lambda path: "bolt", folder, OUTPUTS, PACE, observe,
                remarks.append, results.describe,
            )  # fmt: skip
        return scored, compared, remarks, forecasts

    return run


def assert_like_undisturbed(score, out, images):
    score("undisturbed", images, overwrite=True)
    found, expected = content(Path(out)), content(Path("undisturbed"))
    log = "inputs.jsonl"  # in no fixed order
    assert sorted(found.pop(log).splitlines()) == sorted(expected.pop(log).splitlines())
    assert found.keys() == expected.keys()
    assert [name for name in found if found[name] != expected[name]] == []


def test_a_run_leaves_a_file_of_each_subset(score, images):
    scored, compared, remarks, (forecast,) = score("out", images)
    assert scored == [f"{number}.png" for number in range(10)]
    assert compared == [1, 2, 3]
    assert remarks == []
    names = sorted(path.name for path in Path("out/mutual").iterdir())
    assert names == ["001.safetensors", "002.safetensors", "003.safetensors"]
    assert (forecast.images, forecast.subsets, forecast.largest) == (10, 3, 4)
    assert forecast.seconds > 0


@pytest.mark.parametrize("subset", [1, 2, 3])
def test_finished_subsets_are_not_compared_again(score, images, subset):
    with pytest.raises(KeyboardInterrupt):
        score("out", images, stop_in=subset)
    _, compared, remarks, (forecast,) = score("out", images, resume=True)
    assert compared == [1, 2, 3][subset - 1 :]
    assert forecast.subsets == 4 - subset
    assert remarks == []
    assert_like_undisturbed(score, "out", images)


def test_finished_rows_are_kept(score, images):
    with pytest.raises(KeyboardInterrupt):
        score("out", images, stop_after=5)
    scored, compared, remarks, forecasts = score("out", images, resume=True)
    assert (compared, forecasts) == ([], [])
    assert not any("subsets" in remark for remark in remarks)
    assert len(scored) < 10
    assert_like_undisturbed(score, "out", images)


def test_a_changed_image_changes_its_subset_and_all_rows(score, images):
    score("out", images)
    save_image(images / "7.png", seed=70)
    scored, compared, remarks, _ = score("out", images, resume=True)
    assert len(compared) == 1
    assert len(scored) == 10
    assert "1 of 3 subsets of the earlier run will be compared again" in remarks[0]
    assert_like_undisturbed(score, "out", images)


@pytest.mark.parametrize("change", ["add", "remove"])
def test_images_more_or_less_divide_the_list_anew(score, images, change):
    score("out", images)
    if change == "add":
        save_image(images / "a.png", seed=20)
    else:
        (images / "3.png").unlink()
        (images / "2.png").unlink()
    scored, compared, remarks, _ = score("out", images, resume=True)
    assert len(compared) >= 2
    assert len(scored) == (11 if change == "add" else 8)
    assert "of 3 subsets of the earlier run" in remarks[0]
    assert_like_undisturbed(score, "out", images)


def test_damaged_and_lost_files_are_made_again(score, images):
    score("out", images)
    files = sorted(Path("out/mutual").iterdir())
    whole = files[0].read_bytes()
    files[0].write_bytes(whole[:-100])
    files[1].unlink()
    scored, compared, _, _ = score("out", images, resume=True)
    assert compared == [1, 2]
    assert scored == []  # the distances are the same
    assert files[0].read_bytes() == whole
    assert_like_undisturbed(score, "out", images)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs permissions")
def test_an_image_that_could_not_be_opened_is_tried_again(score, images):
    (images / "2.png").chmod(0)
    score("out", images)
    (images / "2.png").chmod(0o644)
    _, compared, _, _ = score("out", images, resume=True)
    assert len(compared) == 1


def test_a_missing_image_is_tried_again(score, images, tmp_path):
    moved = tmp_path / "moved.png"
    shutil.move(images / "2.png", moved)
    (images / "2.png").symlink_to("nowhere.png")
    score("out", images)
    (images / "2.png").unlink()
    shutil.move(moved, images / "2.png")
    _, compared, _, _ = score("out", images, resume=True)
    assert len(compared) == 1
    assert_like_undisturbed(score, "out", images)


def test_an_image_that_is_listed_twice_is_compared_once(score, mutual, images):
    paths = [images / "1.png", images / "2.png", images / "1.png"]
    listing = images.parent / "list.txt"
    listing.write_text("\n".join(map(str, paths)))
    with listing.open() as stream:
        refs = list(find_images(["-"], stdin=stream))
    settings = score_settings(mutual, OUTPUTS, prompt="bolt", prompt_rules=None)
    with RunFolder.claim(Path("twice"), SCORE, settings, {}) as folder:
        results = compare_folder(mutual, refs, folder, PACE, Watch())
        rows = list(results.score((ref.path for ref in refs), prompt=lambda path: "bolt"))
    assert [row.references for row in rows] == [1, 1, 1]
    assert rows[0].score == rows[2].score
