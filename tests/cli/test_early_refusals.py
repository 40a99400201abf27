"""What is wrong with a command is said before PyTorch is imported, which takes seconds."""

from __future__ import annotations

import subprocess
import sys

import pytest

ROOT_COMMAND = """
import sys
from moeclip_cli.__main__ import main
try:
    main()
except SystemExit as end:
    slow = {"torch", "open_clip", "timm", "pyarrow", "onnxruntime", "openvino", "ray", "fsspec"}
    print(end.code, *sorted(slow & sys.modules.keys()), file=sys.stderr)
"""


def refusal(*args):
    """Exit code, the imported packages whose import takes long, and the message."""
    done = subprocess.run(
        [sys.executable, "-c", ROOT_COMMAND, *map(str, args)], capture_output=True, text=True
    )
    *message, last = done.stderr.splitlines()
    code, *slow = last.split()
    return int(code), slow, " ".join(message)


@pytest.fixture
def earlier(moeclip, standin, parts):
    """The output folder of a finished run: "scored"."""
    run = moeclip("score", *standin.options, parts, "--out", "scored", "--limit", "1")
    assert run.exit_code == 0, run.stderr


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("score", "parts", "--out", "scored"), 2, "scored contains a finished run"),
        (("score", "parts", "--threshold", "55"), 2, "between 0 and 1, not 55; write 55% as 0.55."),
        (("score", "parts", "--device", "gpu"), 2, "Unknown device 'gpu'"),
        (
            ("score", "parts", "--model", "moeclip-mni"),
            4,
            "Did you mean moeclip-mini, moeclip-small?",
        ),
        (("score", "parts", "--model", "someone/model"), 4, "Did you mean hf://someone/model?"),
        (("score", "parts", "--model", "hf://x"), 2, "is not of the form hf://owner"),
        (("score", "parts", "--backbone-weights", "no.pt"), 4, "no.pt"),
        (("score", "parts", "--profile", "no.json"), 2, "Cannot read the profile no.json"),
        (("score", "parts", "--profile", "scored/run.json"), 2, "is not a profile"),
        (("score", "parts", "--mutual", "--threshold", "2"), 2, "--threshold must be between"),
        (("score", "parts", "--reference-rotations", "8"), 2, "give them as --reference"),
        (("score", "parts", "--mutual", "--reference-rotations", "8"), 2, "turns references"),
        (("watch", "parts", "--device", "gpu"), 2, "Unknown device 'gpu'"),
        (("watch", "parts", "--hook", "no-such-program"), 2, "of --hook was not found"),
        (("watch", "parts", "--mqtt", "mqtt://host"), 2, "--mqtt must be of the form"),
        (("heatmap", "parts", "--device", "gpu"), 2, "Unknown device 'gpu'"),
        (("heatmap", "parts", "--model", "no.pth"), 4, "Model 'no.pth' not found"),
        (("heatmap", "parts", "--mask", "no.png"), 2, "no.png was not found"),
        (("calibrate", "parts", "--profile", "scored/run.json"), 2, "already exists"),
        (("calibrate", "parts", "--references", "--device", "gpu"), 2, "Unknown device 'gpu'"),
        (("benchmark", "mvtc"), 4, "did you mean mvtec?"),
        (("benchmark", "--data", "nope"), 4, "called 'nope'"),
        (("benchmark", "mvtec", "--model", "no.pth"), 4, "Model 'no.pth' not found"),
        (("benchmark", "mvtec", "--device", "gpu"), 2, "Unknown device 'gpu'"),
        (("benchmark", "--data", "parts", "--out", "scored"), 2, "results of another command"),
        (("train", "--data", "nope"), 4, "called 'nope'"),
        (("train", "--data", "mvtec"), 4, "MVTec was not found"),
        (("train", "--data", "synthetic", "--out", "scored"), 2, "results of another command"),
        (("train", "--data", "synthetic", "--device", "gpu"), 2, "Unknown device 'gpu'"),
    ],
)
def test_wrong_values_are_refused_before_pytorch_is_imported(earlier, args, code, message):
    found, slow, said = refusal(*args)
    assert message in said
    assert found == code
    assert slow == []


def test_pictures_in_the_way_are_refused_before_pytorch_is_imported(moeclip, standin, parts):
    run = moeclip("heatmap", *standin.options, parts / "d.png", "--out", "drawn")
    assert run.exit_code == 0, run.stderr
    code, slow, said = refusal("heatmap", parts / "d.png", "--out", "drawn")
    assert (code, slow) == (2, [])
    assert "d.png exists; use --overwrite" in said


def test_a_backbone_of_a_similar_name_is_suggested(moeclip):
    result = moeclip("train", "--data", "synthetic", "--backbone", "moeclip-mimi")
    assert result.exit_code == 4
    assert "did you mean moeclip-mini?" in result.stderr
    result = moeclip("models", "pull", "ViT-L-14-337")
    assert "ViT-L-14-336" in result.stderr


def test_without_a_network_training_names_the_built_in_backbone(moeclip, monkeypatch):
    monkeypatch.setattr("moeclip_cli.training.network.find_backbone", _refuse)
    result = moeclip("train", "--data", "synthetic")
    assert result.exit_code == 4
    assert "cannot be downloaded. Without a network, --backbone dinov2-vits14 is part" in (
        result.stderr
    )


def _refuse(*args):
    from moeclip_cli.errors import ModelError

    raise ModelError("It cannot be downloaded.")
