import csv
import json
import re
from pathlib import Path

import pytest
from support.samples import save_image

from moeclip_cli.choices import PRECISIONS
from moeclip_cli.runs.lock import WriterLock

PROFILE = Path("moeclip-profile.json")
PROMPT = ("--prompt", "metal bracket")


@pytest.fixture
def good():
    folder = Path("good")
    folder.mkdir()
    for number in range(9):
        save_image(folder / f"{number}.png", seed=number)
    return folder


@pytest.fixture
def run(moeclip, standin):
    def with_standin(command, *args):
        return moeclip(command, *args, *standin.options)

    return with_standin


@pytest.fixture
def calibrated(run, good):
    result = run("calibrate", good, "--false-alarms", 0.1, *PROMPT)
    assert result.exit_code == 0, result.stderr
    return result


def rows():
    with Path("moeclip-out/results.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_profile_says_what_it_was_found_with(calibrated):
    profile = json.loads(PROFILE.read_text(encoding="utf-8"))

    assert profile["images"] == 9
    assert profile["false_alarms"] == 0.1
    assert profile["prompt"] == "metal bracket"
    assert profile["settings"]["model"] == "standin.pth"
    assert profile["settings"]["image_size"] == 70


def test_the_highest_scores_and_the_threshold_are_shown(calibrated):
    lines = calibrated.stdout.splitlines()

    threshold = json.loads(PROFILE.read_text(encoding="utf-8"))["threshold"]
    assert lines[-1] == (f"Threshold {threshold:.4f} (profile: 10% false alarms on 9 good images).")
    shown = [float(line.split()[0]) for line in lines if "good/" in line]
    assert len(shown) == 5
    assert shown == sorted(shown, reverse=True)
    assert 0 < threshold - shown[0] < 0.001
    assert "--profile moeclip-profile.json" in calibrated.stderr


def test_scoring_uses_threshold_and_prompt_of_the_profile(run, calibrated, good):
    result = run("score", good, "--profile", PROFILE)

    assert result.exit_code == 0, result.stderr
    assert "9 images: 0 anomalous, 9 normal" in result.stdout
    assert "(profile: 10% false alarms on 9 good images)" in result.stdout
    assert {row["prompt"] for row in rows()} == {"metal bracket"}


def test_heatmaps_use_it_too(run, calibrated, good):
    assert run("heatmap", good / "0.png", "--profile", PROFILE).exit_code == 0


def test_the_users_threshold_wins(run, calibrated, good):
    run("score", good, "--profile", PROFILE, "--threshold", 0.123)

    assert {row["threshold"] for row in rows()} == {"0.123"}


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--prompt", "screw"), 'is for --prompt "metal bracket", not "screw"'),
        (("--prompts", "rules.toml"), "use either --profile or --prompts"),
        (("--domain", "medical"), "its domain is industrial, but here it is medical"),
        (("--precision", "bf16"), "its precision is float32, but here it is bfloat16"),
    ],
    ids=["prompt", "prompts", "domain", "precision"],
)
def test_a_profile_is_not_used_for_anything_else(options, complaint, run, calibrated, good):
    Path("rules.toml").write_text('"a/" = "screw"', encoding="utf-8")

    result = run("score", good, "--profile", PROFILE, *options)

    assert result.exit_code == 2
    assert complaint in result.stderr


def test_a_settings_file_can_name_it(run, calibrated, good):
    Path("moeclip.toml").write_text('profile = "moeclip-profile.json"', encoding="utf-8")

    assert "(profile: " in run("score", good).stdout


def test_a_profile_is_not_overwritten_unasked(run, calibrated, good):
    before = PROFILE.read_text(encoding="utf-8")
    args = ("calibrate", good, "--false-alarms", 0.5)

    refused = run(*args)
    assert refused.exit_code == 2
    assert "moeclip-profile.json already exists. Use --overwrite" in refused.stderr
    assert PROFILE.read_text(encoding="utf-8") == before

    assert run(*args, "--overwrite").exit_code == 0
    assert json.loads(PROFILE.read_text(encoding="utf-8"))["false_alarms"] == 0.5


def test_too_few_images_are_one_sentence_and_leave_nothing(run, good):
    result = run("calibrate", good)

    assert result.exit_code == 2
    assert "9 good images are too few for 5% false alarms: that takes 19." in result.stderr
    assert not PROFILE.exists()


@pytest.mark.parametrize("folder", ["nut", "nut/test"])
def test_defective_images_of_a_dataset_are_not_taken_for_good_ones(folder, moeclip, tmp_path):
    for name in (
        "train/good/0.png",
        "test/good/1.png",
        "test/dent/2.png",
        "ground_truth/dent/2.png",
    ):
        (tmp_path / "nut" / name).parent.mkdir(parents=True, exist_ok=True)
        save_image(tmp_path / "nut" / name)
    refused = moeclip("calibrate", folder, "--false-alarms", "40%", "--model", "none.safetensors")
    assert refused.exit_code == 2
    assert "contains defective images, too, such as nut/test/dent/2.png" in refused.stderr
    assert "such as nut/train/good." in refused.stderr
    for command in (["score", "nut/test"], ["benchmark", "--data", "nut"]):
        compared = moeclip(*command, "--reference", folder)
        assert compared.exit_code == 2
        assert "name the good ones alone, such as nut/train/good." in compared.stderr
    # Good images alone pass this check.
    good = moeclip(
        "calibrate", "nut/test/good", "--model", "none.safetensors", "--false-alarms", ".5"
    )
    assert "none.safetensors" in good.stderr


def test_a_second_rate_adds_a_band_that_scoring_uses(run, good):
    result = run("calibrate", good, "--false-alarms", 0.1, "--unsure", "40%", *PROMPT)
    assert result.exit_code == 0, result.stderr
    assert "(profile: 10% false alarms on 9 good images), unsure from" in result.stdout
    assert "(profile: 40% false alarms on 9 good images)." in result.stdout
    profile = json.loads(PROFILE.read_text(encoding="utf-8"))
    # Ranks 9 and 6 of 9 scores, from the lowest one.
    assert profile["scores"][8] < profile["threshold"] <= profile["scores"][8] + 0.0001
    assert profile["scores"][5] < profile["unsure_threshold"] <= profile["scores"][5] + 0.0001

    assert run("score", good, "--profile", PROFILE, "--quiet").exit_code == 0
    assert sorted(row["verdict"] for row in rows()) == 6 * ["normal"] + 3 * ["unsure"]


@pytest.mark.parametrize(
    "options",
    [("--false-alarms", 5), ("--limit", 3), ("--unsure", 0.05), ("--unsure-rate", 1)],
    ids=str,
)
def test_what_cannot_work_is_refused_before_a_model_is_loaded(options, moeclip, good):
    result = moeclip("calibrate", good, *options, "--model", "none.safetensors")

    assert result.exit_code == 2
    assert re.search("false.alarms", result.stderr)


def test_too_few_that_can_be_read_are_refused_too(run, good):
    (good / "0.png").write_bytes(b"no picture")

    result = run("calibrate", good, "--false-alarms", 0.1)

    assert result.exit_code == 2
    assert "8 good images are too few" in result.stderr
    assert not PROFILE.exists()


def test_an_unreadable_image_is_left_out(run, good):
    (good / "broken.png").write_bytes(b"no picture")

    result = run("calibrate", good, "--false-alarms", 0.1)

    assert result.exit_code == 3
    assert "broken.png" in result.stderr
    assert json.loads(PROFILE.read_text(encoding="utf-8"))["images"] == 9


def test_quiet_says_nothing(run, good):
    result = run("calibrate", good, "--false-alarms", 0.1, "--quiet")

    assert (result.stdout, result.stderr) == ("", "")
    assert PROFILE.exists()


def test_a_profile_that_cannot_be_written_names_its_option(run, good):
    Path("file").touch()

    result = run("calibrate", good, "--false-alarms", 0.1, "--profile", "file/p.json")

    assert result.exit_code == 2
    assert "part of its path is a file, not a folder; choose another --profile." in result.stderr


def test_a_wrong_profile_is_noticed_before_a_model_is_loaded(moeclip, good):
    result = moeclip("score", good, "--profile", "none.json", "--model", "none.safetensors")

    assert result.exit_code == 2
    assert "Cannot read the profile none.json: No such file or directory." in result.stderr


def test_a_second_calibration_of_the_same_profile_is_refused(run, good):
    with WriterLock.of_file(PROFILE, "profile"):
        refused = run("calibrate", good, "--false-alarms", 0.1, *PROMPT)
    assert refused.exit_code == 2
    assert "Another moeclip" in refused.stderr
    assert "choose another --profile" in " ".join(refused.stderr.split())
    assert run("calibrate", good, "--false-alarms", 0.1, *PROMPT).exit_code == 0
    assert sorted(path.name for path in Path().iterdir()) == ["good", PROFILE.name]


def test_a_profile_path_that_is_too_long_is_one_sentence(run, good):
    refused = run("calibrate", good, "--false-alarms", 0.1, *PROMPT, "--profile", "x" * 5000)
    assert refused.exit_code == 2
    assert "choose a shorter --profile" in " ".join(refused.stderr.split())


def test_its_threshold_holds_in_the_fastest_precision(run, calibrated, good):
    result = run("score", good, "--profile", PROFILE, "--precision", "auto")
    assert result.exit_code == 0, result.stderr
    assert "Precision " in result.stderr
    card = json.loads(Path("moeclip-out/run.json").read_text(encoding="utf-8"))
    choice = card["environment"]["precision_choice"]
    assert PRECISIONS[choice["chosen"]] == card["settings"]["precision"]
    assert [trial["precision"] for trial in choice["trials"]] == ["bf16"]


def test_a_profile_in_another_precision_decides(run, good):
    assert run("calibrate", good, "--precision", "bf16", "-a", 0.1).exit_code == 0
    result = run("score", good, "--profile", PROFILE, "--precision", "auto")
    assert result.exit_code == 0, result.stderr
    card = json.loads(Path("moeclip-out/run.json").read_text(encoding="utf-8"))
    assert card["settings"]["precision"] == "bfloat16"
