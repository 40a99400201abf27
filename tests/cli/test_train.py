from __future__ import annotations

import csv
import json
import signal
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from moeclip_cli.checkpoints.checkpoint import read_checkpoint
from moeclip_cli.datasets.opening import open_dataset
from moeclip_cli.runs.lock import WriterLock

OUT = Path("moeclip-train")


@pytest.fixture
def small(standin):
    """Options of a training that takes a second."""
    return [
        "--backbone-weights", standin.backbone, "--image-size", "70", "--rank", "4",
        "--device", "cpu", "--workers", "0", "--samples", "0", "--log-every", "1",
    ]  # fmt: skip


@pytest.fixture
def generated(small):
    return ["train", "--data", "synthetic", "--epoch-images", "8", "--epochs", "1", *small]


def metrics(out=OUT):
    with (out / "metrics.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_from_nothing_to_scores(moeclip, standin, small):
    made = ["synthesize", "made", "--categories", "1", "--images", "4", "--size", "64"]
    assert moeclip("datasets", *made).exit_code == 0
    result = moeclip(
        "train", "--data", "made", "--val-fraction", "0.5", "--epochs", "2", *small,
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith(str(OUT / "model.safetensors"))
    assert "4 held out, which choose the best epoch" in result.stderr
    assert "image AUROC" in result.stderr

    config = read_checkpoint(OUT / "model.safetensors").config
    assert config.backbone.digest is not None
    assert config.training["settings"]["data"] == "made"
    (dataset,) = config.training["datasets"]
    assert dataset == {"use": "training", "name": "made", "listing": open_dataset("made").digest}
    scored = moeclip(
        "score", "made", "--model", OUT / "model.safetensors",
        "--backbone-weights", standin.backbone, "--device", "cpu",
    )  # fmt: skip
    assert scored.exit_code == 0, scored.stderr
    assert "false alarms on 2 held-out normal images of made" in scored.stdout
    tested = moeclip(
        "benchmark", "--data", "made", "--model", OUT / "model.safetensors",
        "--backbone-weights", standin.backbone, "--device", "cpu",
    )  # fmt: skip
    assert tested.exit_code == 0, tested.stderr
    warned = " ".join(tested.stderr.split())
    assert "model.safetensors was trained on made: its numbers there do not show" in warned
    assert "was trained on made" in Path("moeclip-benchmark/report.html").read_text()


def test_the_data_that_choose_the_epoch_are_recorded(moeclip, generated):
    made = ["synthesize", "made", "--categories", "1", "--images", "2", "--size", "64"]
    assert moeclip("datasets", *made).exit_code == 0
    result = moeclip(*generated, "--val-data", "made", "--max-steps", "1")
    assert result.exit_code == 0, result.stderr
    (dataset,) = read_checkpoint(OUT / "model.safetensors").config.training["datasets"]
    assert (dataset["use"], dataset["name"]) == ("validation", "made")


def test_adapters_apart_from_the_levels_are_trained_resumed_and_used(moeclip, standin, generated):
    command = [*generated, "--moe-layers", "3,6", "--balance-weight", "1"]
    assert moeclip(*command, "--max-steps", "2").exit_code == 0
    assert 'moe_layers = "3,6"' in (OUT / "train.toml").read_text()
    resumed = moeclip(*command, "--max-steps", "4", "--resume")
    assert resumed.exit_code == 0, resumed.stderr
    checkpoint = read_checkpoint(OUT / "model.safetensors")
    assert checkpoint.config.network.layers == (2, 4, 6, 8)
    assert checkpoint.config.network.moe_layers == (3, 6)
    trained = [name for name, tensor in checkpoint.tensors.items() if "lora_b" in name]
    assert trained == ["moe.0.lora_b", "moe.1.lora_b"]
    assert all(checkpoint.tensors[name].any() for name in trained)

    Image.new("RGB", (70, 70), "grey").save("grey.png")
    draw = [
        "heatmap", "grey.png", "--model", OUT / "model.safetensors", "--device", "cpu",
        "--backbone-weights", standin.backbone, "--experts",
    ]  # fmt: skip
    drawn = moeclip(*draw, "3")
    assert drawn.exit_code == 0, drawn.stderr
    refused = moeclip(*draw, "4", "--overwrite")
    assert "has them after blocks 3, 6" in refused.stderr


@pytest.mark.slow
def test_adapters_beside_a_frozen_tower_also_score_with_references(moeclip, generated):
    start = generated.index("--backbone-weights")
    on_dinov2 = ["--backbone", "dinov2-vits14", "--no-adapted-tower", "--self-comparison"]
    trained = moeclip(*generated[:start], *on_dinov2, *generated[start + 2 :])
    assert trained.exit_code == 0, trained.stderr
    model = OUT / "model.safetensors"
    checkpoint = read_checkpoint(model)
    assert checkpoint.text_width is None
    assert checkpoint.config.backbone.name == "dinov2-vits14"
    assert not checkpoint.config.network.adapted_tower
    assert checkpoint.config.network.self_comparison

    made = ["synthesize", "made", "--categories", "1", "--images", "4", "--size", "64"]
    assert moeclip("datasets", *made).exit_code == 0
    scored = {}
    for name, options in {
        "bolts": ["--prompt", "bolt"],
        "tiles": ["--prompt", "tile"],
        "compared": ["--reference", "made/board/train"],
    }.items():
        result = moeclip(
            "score", "made/board/test", "--model", model, "--out", name, "--device", "cpu", *options
        )
        assert result.exit_code == 0, result.stderr
        with (Path(name) / "results.csv").open(newline="") as stream:
            scored[name] = list(csv.DictReader(stream))
    bolts, tiles, compared = scored.values()
    # A model without a text tower has one text for all names.
    assert [row["score"] for row in bolts] == [row["score"] for row in tiles]
    assert [row["zero_shot"] for row in compared] == [row["score"] for row in bolts]
    assert [row["score"] for row in compared] != [row["score"] for row in bolts]


def test_the_resolved_options_train_the_same_again(moeclip, generated):
    assert moeclip(*generated, "--decay", "0.25", "--no-augment").exit_code == 0
    again = moeclip(
        "train", "--config", OUT / "train.toml", "--out", "again", "--device", "cpu",
        "--workers", "0", "--samples", "0", "--log-every", "1",
    )  # fmt: skip
    assert again.exit_code == 0, again.stderr
    first, second = (folder / "model.safetensors" for folder in (OUT, Path("again")))
    assert first.read_bytes() == second.read_bytes()
    card = json.loads((OUT / "run.json").read_text())
    assert card["state"] == "finished"
    assert card["settings"]["training"]["decay"] == 0.25
    assert card["summary"]["steps"] == 4
    assert moeclip("verify", OUT).stdout == f"{OUT} is complete: 4 files.\n"
    (OUT / "model.safetensors").unlink()
    assert moeclip("verify", OUT).exit_code == 5


def test_as_released_has_no_expert_losses_and_keeps_every_epoch(moeclip, generated):
    assert moeclip(*generated, "--as-released").exit_code == 0
    assert {(row["balance"], row["etf"]) for row in metrics()} == {("0", "0")}
    settings = read_checkpoint(OUT / "epochs" / "epoch_01.safetensors").config
    assert settings.network.dropout == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--data", "nowhere"], 4, "There is no dataset, folder or manifest called 'nowhere'"),
        (["--as-released", "--etf-weight", "0.1"], 2, "--as-released sets --etf-weight to 0"),
        (["--milestones", "many"], 2, "--milestones takes whole numbers"),
        (["--epochs", "0"], 2, "epochs must be at least 1"),
        (["--image-size", "71"], 4, "multiple of the patch size 14"),
        (["--accumulate", "2", "--batch-size", "3"], 2, "multiple of --accumulate"),
        (["--precision", "fp16"], 2, "fp16 cannot be trained on a CPU"),
        (["--resume"], 2, "There is no training in moeclip-train to resume"),
        (["--rank", "40"], 4, "lower --rank or --experts, or use --no-fofs"),
        (["--self-comparison"], 4, "use --no-adapted-tower"),
        (["--backbone", "ViT-nothing"], 4, "open_clip has no model 'ViT-nothing'"),
    ],
)
def test_refusals_are_one_sentence(moeclip, generated, arguments, code, said):
    result = moeclip(*generated, *arguments)
    assert result.exit_code == code, result.stderr
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert not (OUT / "model.safetensors").exists()


def test_training_without_normal_images_says_what_is_not_learned(moeclip, small):
    made = ["synthesize", "made", "--categories", "1", "--images", "2", "--size", "64"]
    assert moeclip("datasets", *made).exit_code == 0
    (good,) = Path("made").glob("*/test/good")
    good.rename("good")
    result = moeclip("train", "--data", "made", "--max-steps", "1", *small)
    assert result.exit_code == 0, result.stderr
    assert "has no normal images: anomaly maps are trained" in " ".join(result.stderr.split())


def test_a_second_training_in_the_same_folder_is_refused(moeclip, generated):
    OUT.mkdir()
    with WriterLock.of_folder(OUT):
        refused = moeclip(*generated)
    assert refused.exit_code == 2
    assert "Another moeclip" in refused.stderr


def test_a_finished_training_is_not_overwritten_unasked(moeclip, generated):
    assert moeclip(*generated).exit_code == 0
    before = (OUT / "model.safetensors").read_bytes()
    refused = moeclip(*generated, "--seed", "5")
    assert refused.exit_code == 2
    assert "finished training" in refused.stderr
    assert (OUT / "model.safetensors").read_bytes() == before
    assert moeclip(*generated, "--seed", "5", "--overwrite").exit_code == 0
    assert (OUT / "model.safetensors").read_bytes() != before


@pytest.mark.parametrize(
    ("module", "options", "extra"),
    [("accelerate", [], "train"), ("tensorboard", ["--tensorboard"], "tensorboard")],
)
def test_a_missing_extra_names_the_line_that_installs_it(
    moeclip, generated, monkeypatch, module, options, extra
):
    monkeypatch.setitem(sys.modules, module, None)
    result = moeclip(*generated, *options)
    assert result.exit_code == 2
    assert f'pip install "moeclip[{extra}]"' in result.stderr


@pytest.mark.slow
def test_ctrl_c_saves_and_the_same_command_with_resume_goes_on(start_moeclip, moeclip, generated):
    command = [*generated, "--epochs", "3"]
    process = start_moeclip(*command, "--max-steps", "1000", "--epochs", "500")
    deadline = time.monotonic() + 60
    while not (OUT / "metrics.csv").exists() or len(metrics()) < 2:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "--resume" in said and "Traceback" not in said
    done = int(metrics()[-1]["step"])
    resumed = moeclip(*command, "--max-steps", str(done + 2), "--epochs", "500", "--resume")
    assert resumed.exit_code == 0, resumed.stderr
    assert [int(row["step"]) for row in metrics()] == list(range(1, done + 3))


@pytest.mark.slow
def test_two_processes_compute_what_one_does_with_the_joined_batch(
    start_moeclip, moeclip, generated
):
    """All losses and tensors, the balance loss included; dropout has other masks, so it is off.

    The third step is the last of an epoch of five images and has one of them, for two processes.
    """
    command = [*generated, "--max-steps", "3", "--dropout", "0", "--val-fraction", "0.8"]
    command += ["--epoch-images", "5", "--epochs", "2"]
    process = start_moeclip(*command, "--out", "two", "--processes", "2")
    _, said = process.communicate(timeout=600)
    assert process.returncode == 0, said
    assert said.count("Training on") == 1
    assert moeclip(*command, "--out", "one").exit_code == 0
    for row, expected in zip(metrics(Path("two")), metrics(Path("one")), strict=True):
        for name in ("total", "image", "segmentation", "balance", "etf"):
            assert float(row[name]) == pytest.approx(float(expected[name]), rel=1e-4)
    assert float(row["balance"]) > 0
    two, one = (read_checkpoint(Path(name) / "model.safetensors") for name in ("two", "one"))
    counts = [found.config.training["validation"] for found in (one, two)]
    assert [count["normal"] + count["anomalous"] for count in counts] == [4, 4]
    for name, tensor in one.tensors.items():
        # Where a gradient is rounding alone, Adam moves by the learning rate, 5e-5, all the same.
        assert (tensor - two.tensors[name]).abs().mean() < 2e-5, name
    assert json.loads(Path("two/run.json").read_text())["environment"]["processes"] == 2


@pytest.mark.slow
def test_what_one_of_several_processes_cannot_do_is_said_once(start_moeclip, generated):
    process = start_moeclip(*generated, "--data", "nowhere", "--processes", "2")
    _, said = process.communicate(timeout=600)
    assert process.returncode == 4
    assert said.count("There is no dataset") == 1
    assert "Traceback" not in said
