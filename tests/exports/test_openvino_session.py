from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from support.exports import PROMPTS
from support.samples import colour_picture

from moeclip_cli import OnnxInspector
from moeclip_cli.errors import ModelError
from moeclip_cli.exports.check import BOUND, compare
from moeclip_cli.exports.onnx_file import describe
from moeclip_cli.exports.openvino_file import OpenVinoFiles, to_openvino
from moeclip_cli.exports.openvino_session import OpenVinoSession
from moeclip_cli.exports.small_weights import shrink_weights

onnx = pytest.importorskip("onnx")
openvino = pytest.importorskip("openvino")

PICTURES = [colour_picture(40, 60, 0), colour_picture(98, 98, 1)]


def test_openvino_gives_the_scores_of_the_model_for_each_prompt(inspector, openvino_graph):
    exported = OnnxInspector.load(openvino_graph)
    found = compare(inspector, exported, PICTURES, PROMPTS)
    assert found.images == len(PROMPTS) * len(PICTURES)
    assert found.score < BOUND
    assert found.map < BOUND
    assert exported.versions == {"openvino": openvino.__version__.partition("-")[0]}


def test_the_files_say_what_they_are(inspector, openvino_graph):
    session = OpenVinoSession(openvino_graph)
    assert session.description == describe(inspector, PROMPTS, resizes=False)
    weights, xml = openvino_graph.with_suffix(".bin").read_bytes(), openvino_graph.read_bytes()
    assert OpenVinoSession(OpenVinoFiles(weights, xml)).digest == session.digest
    # The last bit of a weight makes another graph.
    changed = bytes([weights[0] ^ 1]) + weights[1:]
    assert OpenVinoSession(OpenVinoFiles(changed, xml)).digest != session.digest


@pytest.mark.parametrize(
    ("weights", "share", "difference"), [("fp16", 0.55, 0.002), ("int8", 0.4, 0.05)]
)
def test_small_weights_stay_small_and_score_nearly_the_same(
    inspector, graph_content, openvino_graph, weights, share, difference
):
    model = onnx.load_from_string(graph_content)
    shrink_weights(model, weights)
    files = to_openvino(model.SerializeToString())
    assert len(files.weights) < share * openvino_graph.with_suffix(".bin").stat().st_size
    exported = OnnxInspector(OpenVinoSession(files))
    found = compare(inspector, exported, PICTURES, PROMPTS[:1])
    assert 0 < found.score < difference


def test_other_files_are_refused(openvino_graph):
    Path("text.xml").write_text("not a graph")
    Path("text.bin").touch()
    with pytest.raises(ModelError, match="text.xml is not a graph that OpenVINO 20"):
        OnnxInspector.load("text.xml")
    shutil.copy(openvino_graph, "alone.xml")
    with pytest.raises(ModelError, match="File not found: alone.bin"):
        OnnxInspector.load("alone.xml")
    weights = openvino_graph.with_suffix(".bin").read_bytes()
    Path("alone.bin").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(ModelError, match="alone.xml is not a graph that OpenVINO"):
        OnnxInspector.load("alone.xml")
    value = openvino.opset13.parameter([1], np.float32, name="x")
    other = openvino.Model([openvino.opset13.abs(value)], [value], "abs")
    openvino.save_model(other, "other.xml")
    with pytest.raises(ModelError, match="other.xml was not written by this version"):
        OnnxInspector.load("other.xml")


def test_inputs_that_the_graph_does_not_have_are_one_sentence(openvino_graph):
    session = OpenVinoSession(openvino_graph)
    with pytest.raises(ModelError, match="OpenVINO cannot run the graph"):
        session.run({"pixels": np.zeros((1, 3, 70, 70), np.float32)})
