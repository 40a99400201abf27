"""Profiles with references on the command line: calibrate, score, show, check, merge, change."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.samples import save_image

SMALL = ("--image-size", 70, "--device", "cpu")
PROFILE = Path("profile.moeclip")


@pytest.fixture
def good():
    folder = Path("good")
    folder.mkdir()
    for number in range(5):
        save_image(folder / f"{number}.png", seed=number, width=90, height=90)
    return folder


@pytest.fixture
def made(moeclip, good):
    result = moeclip("calibrate", good, "--references", "--prompt", "bracket", *SMALL)
    assert result.exit_code == 0, result.stderr
    return result


def rows(out="moeclip-out"):
    with Path(out, "results.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def shown(moeclip, file=PROFILE):
    return json.loads(moeclip("profile", "show", file, "--json").stdout)


def test_a_line_needs_the_profile_alone(moeclip, made, good):
    assert "5 references, each left out in turn" in made.stdout
    assert "5 good parts allow 16.7% false alarms at best; 5% takes 19." in made.stderr
    assert "33.3% in the worst case" in made.stderr
    good.rename("elsewhere")
    save_image(Path("today.png"), seed=40, width=90, height=90)

    result = moeclip("score", "today.png", "--profile", PROFILE, "--device", "cpu", "--report")

    assert result.exit_code == 0, result.stderr
    (row,) = rows()
    assert row["model"] == "dinov2-vits14"
    assert row["prompt"] == "bracket"
    assert row["references"] == "5"
    below = f"{round(float(row['percentile']) / 20)} of 5"
    assert "good parts below" in result.stdout
    assert below in result.stdout
    assert f"above {below} good parts" in Path("moeclip-out/report.html").read_text("utf-8")
    heatmap = moeclip("heatmap", "today.png", "--profile", PROFILE, "--device", "cpu")
    assert heatmap.exit_code == 0, heatmap.stderr


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--reference", "good"), "contains its references; omit --reference"),
        (("--image-size", 84), "its image size is 70, but here it is 84"),
        (("--model", "moeclip-mini"), "its model is dinov2-vits14 (SHA-256"),
    ],
    ids=["reference", "image size", "model"],
)
def test_a_profile_is_refused_with_other_settings(options, complaint, moeclip, made, good):
    result = moeclip("score", good, "--profile", PROFILE, "--device", "cpu", *options)

    assert result.exit_code == 2
    assert complaint in result.stderr


def test_with_a_checkpoint_the_line_names_it(moeclip, standin, good):
    made = moeclip("calibrate", good, "--references", *standin.options)
    assert made.exit_code == 0, made.stderr

    without = moeclip("score", good, "--profile", PROFILE)
    assert without.exit_code == 2
    assert "for the model standin.pth, which is not built in; give its file as --model" in (
        without.stderr
    )
    weights = ("--model", standin.model, "--backbone-weights", standin.backbone)
    result = moeclip("score", good, "--profile", PROFILE, *weights, "--device", "cpu")
    assert result.exit_code == 0, result.stderr
    assert all(row["zero_shot"] for row in rows())


def test_half_of_the_images_calibrate_exactly(moeclip, good):
    result = moeclip("calibrate", good, "--references", "--split", "-a", 0.4, *SMALL)

    assert result.exit_code == 0, result.stderr
    assert "40% false alarms on 2 good images" in result.stdout
    assert "split conformal" in result.stderr
    content = shown(moeclip)
    assert content["rule"] == "split"
    assert [Path(entry["name"]).name for entry in content["references"]] == [
        "0.png", "2.png", "4.png"
    ]  # fmt: skip


def test_enough_images_are_split_without_asking(moeclip, good):
    # 0.9 takes one image; from ten on, half of them are enough references.
    for number in range(5, 10):
        save_image(good / f"{number}.png", seed=number, width=90, height=90)
    assert moeclip("calibrate", good, "--references", "-a", 0.9, *SMALL).exit_code == 0
    assert shown(moeclip)["rule"] == "split"
    again = ("calibrate", good, "--references", "--no-split", "-a", 0.9, "--overwrite", *SMALL)
    assert moeclip(*again).exit_code == 0
    assert shown(moeclip)["rule"] == "jackknife+"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--split",), "--split is for --references"),
        (("--references", "--reference", "good"), "Use either --references"),
        (("--references", "--limit", 1), "at least two different good parts"),
        (("--references", "--split", "--limit", 3), "--split takes at least four images"),
        (("--references", "-a", 5), "must be between 0 and 1"),
        (("--references", "--add", "good"), "PATH is the one profile"),
        (("--remove", "0.png"), "good"),
    ],
    ids=str,
)
def test_impossible_calibrations_are_refused(options, complaint, moeclip, good):
    result = moeclip("calibrate", good, *options, *SMALL)

    assert result.exit_code == 2
    assert complaint in result.stderr
    assert not PROFILE.exists()


def test_show_lists_threshold_settings_and_references(moeclip, made):
    result = moeclip("profile", "show", PROFILE)

    assert result.exit_code == 0
    assert "rule\tjackknife+" in result.stdout
    assert "image_size\t70" in result.stdout
    assert "good/4.png" in result.stdout
    content = shown(moeclip)
    assert len(content["scores"]) == len(content["references"]) == 5
    assert content["references"][0].keys() == {"name", "score", "sha256"}


def test_check_compares_the_model_and_names_suspicious_parts(moeclip, made, good, standin):
    fits = moeclip("profile", "check", PROFILE)
    assert fits.exit_code == 0, fits.stderr
    assert "dinov2-vits14" in fits.stdout
    other = moeclip("profile", "check", PROFILE, "--model", standin.model)
    assert other.exit_code == 2
    assert "is not the model of the profile" in other.stderr
    Path("text.moeclip").write_text("{}", encoding="utf-8")
    assert moeclip("profile", "check", "text.moeclip").exit_code == 2


def test_a_suspicious_part_is_named_with_the_command_that_removes_it(moeclip):
    Path("alike").mkdir()
    save_image(Path("alike/0.png"), width=90, height=90)
    pixels = np.asarray(Image.open("alike/0.png"))
    for number in range(1, 6):
        brighter = np.minimum(pixels.astype(int) + 4 * number, 255).astype(np.uint8)
        Image.fromarray(brighter).save(f"alike/{number}.png")
    noise = np.random.default_rng(0).integers(0, 256, (90, 90, 3), np.uint8)
    Image.fromarray(noise).save("alike/odd part.png")

    command = "moeclip calibrate profile.moeclip --remove 'alike/odd part.png'"
    result = moeclip("calibrate", "alike", "--references", *SMALL)
    assert result.exit_code == 0, result.stderr
    assert f"If alike/odd part.png is not a good part, remove it: {command}\n" in result.stderr
    assert f"To remove it: {command}\n" in moeclip("profile", "check", PROFILE).stderr


def test_parts_are_added_and_removed(moeclip, made):
    rejected = Path("wrongly_rejected")
    rejected.mkdir()
    save_image(rejected / "new.png", seed=50, width=90, height=90)
    before = shown(moeclip)

    added = moeclip("calibrate", "--add", rejected, PROFILE, "--device", "cpu")
    assert added.exit_code == 0, added.stderr
    after = shown(moeclip)
    assert [entry["name"] for entry in after["references"]][-1] == str(rejected / "new.png")
    assert after["images"] == 6
    assert after["false_alarms"] < before["false_alarms"]
    again = moeclip("calibrate", "--add", rejected, PROFILE, "--profile", PROFILE)
    assert again.exit_code == 2
    assert "are references already" in again.stderr

    removed = moeclip("calibrate", "--remove", "new.png", PROFILE, "--profile", "old.moeclip")
    assert removed.exit_code == 0, removed.stderr
    assert "calibrate again from all images for exact ones" in removed.stderr
    old = shown(moeclip, "old.moeclip")
    assert {**old, "version": ""} == {**before, "version": ""}
    assert shown(moeclip) == after


def test_a_band_follows_the_references(moeclip, good):
    make = ("calibrate", "--references", "-p", "bracket", "--overwrite", *SMALL)
    narrow = moeclip(*make, good, "--unsure", 0.1)
    assert narrow.exit_code == 0, narrow.stderr
    assert "so that no image will be unsure; add good parts" in narrow.stderr
    assert moeclip(*make, good, "--unsure", 0.4).exit_code == 0
    before = shown(moeclip)
    assert before["scores"][3] < before["unsure_threshold"] < before["threshold"]

    refused = moeclip("calibrate", "--remove", "0.png", PROFILE, "--unsure", 0.4)
    assert "the rates of the profile stay; omit --unsure-rate" in refused.stderr
    removed = moeclip("calibrate", "--remove", "0.png", PROFILE, "--profile", "four.moeclip")
    assert removed.exit_code == 0, removed.stderr
    after = shown(moeclip, "four.moeclip")
    assert after["unsure_rate"] == 0.4
    assert after["scores"][2] < after["unsure_threshold"] <= after["scores"][2] + 0.0001
    assert "unsure from\t" in moeclip("profile", "check", "four.moeclip").stdout

    Path("plain").mkdir()
    save_image(Path("plain/1.png"), seed=70, width=90, height=90)
    save_image(Path("plain/2.png"), seed=71, width=90, height=90)
    assert moeclip(*make, "plain", "--profile", "b.moeclip").exit_code == 0
    merged = moeclip("profile", "merge", PROFILE, "b.moeclip", "--out", "both.moeclip")
    assert "unsure from" in merged.stdout
    assert shown(moeclip, "both.moeclip")["unsure_rate"] == 0.4


def test_merge_joins_profiles_of_the_same_settings(moeclip, made, good):
    Path("more").mkdir()
    for number in range(60, 63):
        save_image(Path("more") / f"{number}.png", seed=number, width=90, height=90)
    moeclip("calibrate", "more", "--references", "-p", "bracket", "--profile", "b.moeclip", *SMALL)
    merge = ("profile", "merge", PROFILE, "b.moeclip", "--out", "both.moeclip")

    result = moeclip(*merge)

    assert result.exit_code == 0, result.stderr
    assert "8 references" in result.stdout
    assert len(shown(moeclip, "both.moeclip")["references"]) == 8
    assert "already exists" in moeclip(*merge).stderr
    Path("plain.json").write_text("{}", encoding="utf-8")
    assert moeclip("profile", "merge", PROFILE, "plain.json", "-o", "c.moeclip").exit_code == 2


def test_a_threshold_alone_has_no_references(moeclip, standin, good):
    moeclip("calibrate", good, "-a", 0.2, *standin.options)
    plain = "moeclip-profile.json"

    assert shown(moeclip, plain)["references"] == []
    assert len(shown(moeclip, plain)["scores"]) == 5
    result = moeclip("calibrate", "--remove", "0.png", plain)
    assert result.exit_code == 2
    assert "contains no references" in result.stderr


def test_a_run_warns_when_good_parts_drift(moeclip, made, good):
    worn, same = Path("worn"), Path("same")
    worn.mkdir()
    same.mkdir()
    noise = np.random.default_rng(0)
    pixels = np.array(Image.open(good / "0.png").convert("RGB"))
    for number in range(20):
        Image.fromarray(noise.integers(0, 255, pixels.shape, np.uint8)).save(worn / f"{number}.png")
        changed = pixels.copy()
        changed[0, number] ^= 1
        Image.fromarray(changed).save(same / f"{number}.png")
    options = ("--profile", PROFILE, "--device", "cpu", "--threshold", 0.99)

    drifted = moeclip("score", worn, *options, "-o", "drifted")
    assert "20 of 20 normal images score higher than 80% of the good parts did" in drifted.stderr
    assert moeclip("score", worn, *options, "-o", "silent", "--quiet").stderr == ""
    assert "score higher" not in moeclip("score", same, *options, "-o", "usual").stderr
