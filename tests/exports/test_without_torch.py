"""An exported graph is scored where PyTorch and all that belongs to checkpoints are missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from packaging.requirements import Requirement
from support.exports import PROMPTS

from moeclip_cli.extras import RUNTIME_EXTRAS
from moeclip_cli.toml import tomllib

FILES = ("--save-maps", "--keep-maps", "--regions")
ROOT = Path(__file__).parents[2]
MISSING = (
    "accelerate", "huggingface_hub", "onnx", "onnxscript", "open_clip", "packaging", "safetensors",
    "timm", "torch", "torchvision",
)  # fmt: skip

# Import statements find nothing of these packages, as if they were not installed.
WITHOUT = """
import sys
for name in MISSING:
    sys.modules[name] = None
from moeclip_cli.__main__ import main
main()
"""


def run_without(*args, missing=MISSING):
    program = WITHOUT.replace("MISSING", repr(missing))
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, args)], capture_output=True, text=True
    )


def test_score_and_heatmap_run_without_torch(graph_file, parts):
    options = ["--model", graph_file, "--prompt", PROMPTS[1]]
    done = run_without("score", parts, *options, "--heatmaps", "--report", *FILES)
    assert done.returncode == 0, done.stderr
    assert "5 images: " in done.stdout
    out = Path("moeclip-out")
    assert len((out / "results.csv").read_text(encoding="utf-8").splitlines()) == 6
    assert len([*(out / "heatmaps").rglob("*.png")]) == 5
    assert len([*(out / "regions").rglob("*.json")]) == len([*out.rglob("compact-maps/**/*.png")])
    assert (out / "coco.json").exists()
    assert '"onnxruntime"' in (out / "run.json").read_text(encoding="utf-8")
    assert run_without("verify", out).returncode == 0

    drawn = run_without("heatmap", parts / "d.png", *options, "--sheet", "--out", "drawn")
    assert drawn.returncode == 0, drawn.stderr
    written = [Path(line) for line in drawn.stdout.splitlines()]
    assert [path.parent.name for path in written] == ["heatmaps", "sheets"]
    assert all(path.exists() for path in written)


def test_score_runs_in_openvino_without_torch_and_onnx_runtime(openvino_graph, parts):
    options = ["--model", openvino_graph, "--prompt", PROMPTS[1]]
    done = run_without("score", parts, *options, missing=(*MISSING, "onnxruntime"))
    assert done.returncode == 0, done.stderr
    assert "5 images: " in done.stdout
    assert '"openvino"' in Path("moeclip-out", "run.json").read_text(encoding="utf-8")


def test_a_checkpoint_needs_torch(parts):
    done = run_without("score", parts, "--out", "out")
    assert done.returncode == 2
    assert "torch is not installed, so only exported graphs can be scored" in done.stderr
    assert not Path("out").exists()


def test_a_command_that_needs_torch_says_so(parts):
    done = run_without("calibrate", parts, "--references")
    assert done.returncode == 2
    assert "torch is not installed, and this command needs it" in done.stderr


def requirements(lines):
    return {requirement.name: requirement for requirement in map(Requirement, lines)}


def test_the_distribution_without_torch_has_the_versions_of_the_complete_one():
    complete, runtime = (
        tomllib.loads((ROOT / folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        for folder in (".", "runtime")
    )
    needed = requirements(runtime["dependencies"])
    extra = complete["optional-dependencies"]["runtime"]
    known = requirements([*complete["dependencies"], *extra])
    assert {name: known.get(name) for name in needed} == needed
    of_checkpoints = {"huggingface_hub", "open_clip_torch", "safetensors", "torch"}
    assert known.keys() - needed.keys() == of_checkpoints | {"packaging"}  # of the doctor
    extras = runtime["optional-dependencies"]
    assert extras.keys() == RUNTIME_EXTRAS
    assert extras.items() <= complete["optional-dependencies"].items()
    for key in ("scripts", "requires-python", "license"):
        assert runtime[key] == complete[key]
