from __future__ import annotations

import csv
import sys
from pathlib import Path

import pytest
from support.exports import PROMPTS

from moeclip_cli.exports import check
from moeclip_cli.inspection.result import COLUMNS


@pytest.fixture
def export(moeclip, standin):
    """Export the stand-in model; its prompts are the last arguments."""
    pytest.importorskip("onnxscript")
    options = standin.options[: standin.options.index("--device")]

    def run(folder, *args):
        return moeclip("export", folder, *options, *args)

    return run


def rows(folder):
    with (Path(folder) / "results.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.slow
def test_an_export_is_checked_and_scores_like_its_model(moeclip, standin, export, parts):
    done = export("graphs", "--prompt", "bolt", "--check-on", parts)
    assert done.exit_code == 0, done.stderr
    assert done.stdout == "graphs/standin.onnx\n"
    assert "Largest differences from the model on 13 images: " in done.stderr

    ours = moeclip("score", parts, *standin.options, "--prompt", "bolt", "-o", "ours")
    assert ours.exit_code == 0, ours.stderr
    # The only prompt of a graph needs no mention.
    scored = moeclip("score", parts, "--model", "graphs/standin.onnx", "-o", "theirs")
    assert scored.exit_code == 0, scored.stderr
    for one, other in zip(rows("ours"), rows("theirs"), strict=True):
        for column in COLUMNS:
            if "." in one[column] and column not in ("path", "model"):
                expected = pytest.approx(float(one[column]), abs=1e-4, rel=1e-4)
                assert float(other[column]) == expected, column
            else:
                assert other[column] == one[column]

    again = export("graphs", "--prompt", "bolt")
    assert again.exit_code == 2
    assert "graphs/standin.onnx exists; choose another DIR, or use --overwrite." in again.stderr


@pytest.mark.slow
def test_a_graph_that_differs_is_not_written(export, monkeypatch):
    monkeypatch.setattr(check, "BOUND", 0.0)  # rounding alone exceeds it
    done = export("graphs")
    assert done.exit_code == 4
    assert "nothing was written" in done.stderr
    assert not Path("graphs").exists()


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("--check-on", "no", "--no-check"), 2, "--check-on names images for the check"),
        (("--check-on", "no"), 2, "File or folder not found: no"),
        (("--threshold", "2"), 2, "--threshold must be between 0 and 1"),
        (("--to", "pth"), 2, "'pth' is not"),
        (("--weights", "int4"), 2, "'int4' is not"),
        (("--to", "openvino", "--with-preprocessing"), 2, "omit --with-preprocessing"),
        (("--model", "no.pth"), 4, "Model 'no.pth' not found"),
        (("--model", "dinov2-vits14"), 2, "give good parts as --reference"),
        (("--profile", "no.moeclip"), 2, "no.moeclip"),
        (("--reference", "no"), 2, "File or folder not found: no"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_loaded(moeclip, args, code, message):
    pytest.importorskip("onnxscript")
    done = moeclip("export", "graphs", *args)
    assert done.exit_code == code, done.stderr
    assert message in done.stderr
    assert not Path("graphs").exists()


def test_neither_file_for_openvino_is_overwritten(moeclip):
    Path("graphs").mkdir()
    weights = Path("graphs", "moeclip-mini.bin")
    weights.write_text("mine")
    done = moeclip("export", "graphs", "--to", "openvino")
    assert done.exit_code == 2, done.stderr
    assert f"{weights} exists; choose another DIR" in done.stderr
    assert weights.read_text() == "mine"


def test_openvino_that_is_not_installed_is_named_with_its_extra(moeclip, monkeypatch, parts):
    pytest.importorskip("onnxscript")
    monkeypatch.setitem(sys.modules, "openvino", None)
    Path("graph.xml").touch()
    for args in (
        ("export", "graphs", "--to", "openvino"),
        ("score", parts, "--model", "graph.xml"),
    ):
        done = moeclip(*args)
        assert done.exit_code == 2, done.stderr
        assert 'pip install "moeclip[openvino]"' in done.stderr
    assert not Path("graphs").exists()


def test_options_that_change_a_checkpoint_are_refused_for_a_graph(moeclip, graph_file, parts):
    Path("rules.json").write_text('{"left/": "screw"}')
    for options, message in [
        (["--image-size", "84"], "cannot be changed by --image-size"),
        (["--reference", parts], "cannot be changed by --reference"),
        (["--device", "cuda"], "runs on the CPU, not on cuda"),
        (["--precision", "bf16"], "computes in fp32, not in bf16"),
        (["--smallest", "4px"], "--smallest chooses the tiles; set --tile to"),
        (["--region", "0,0,9,9"], "scores whole images or tiles; omit --region"),
        (["--ignore", "0,0,9,9"], "scores whole images or tiles; omit --ignore"),
        (["--mutual"], "does not compare images with each other"),
        (["--prompt", "screw"], "set --prompt to one of them"),
        (["--prompt", "bolt", "--prompts", "rules.json"], 'not "screw"'),
        ([], 'exported for the prompts "bolt", "steel nut"'),
    ]:
        done = moeclip("score", parts, "--model", graph_file, *options)
        assert done.exit_code == 2, done.stderr
        assert message in " ".join(done.stderr.split())
        assert not Path("moeclip-out").exists()


def test_other_commands_say_that_they_do_not_take_graphs(moeclip, graph_file, parts):
    done = moeclip("calibrate", parts, "--model", graph_file, "--false-alarms", "0.5")
    assert done.exit_code == 4
    assert "is an exported graph" in done.stderr


def test_a_graph_stops_a_line_like_its_model(moeclip, graph_file, parts):
    options = ["--model", graph_file, "--prompt", PROMPTS[0], "--threshold", "0"]
    done = moeclip("score", parts, *options, "--fail-on-anomaly")
    assert done.exit_code == 1, done.stderr
