from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.exports import PROMPTS
from support.samples import colour_picture

from moeclip_cli import Inspector, OnnxInspector, Profile
from moeclip_cli.errors import ModelError, UsageError
from moeclip_cli.exports.check import BOUND
from moeclip_cli.inspection.scorer import Scorer

onnx = pytest.importorskip("onnx")


@pytest.fixture
def exported(graph_file):
    return OnnxInspector.load(graph_file)


def test_results_are_those_of_the_model_in_order_with_errors_in_their_place(
    inspector, exported, parts
):
    Path("broken.png").write_bytes(b"not an image")
    paths = [parts / "d.png", Path("broken.png"), parts / "left" / "b.jpg"]
    ours, theirs = (
        [result.row() for result in one.score(paths, prompt=PROMPTS[0])]
        for one in (inspector, exported)
    )
    assert [row.error for row in ours] == [row.error for row in theirs]
    assert theirs[1].error is not None
    for one, other in zip(ours[::2], theirs[::2], strict=True):
        for name, value in vars(one).items():
            if isinstance(value, float):
                assert getattr(other, name) == pytest.approx(value, abs=BOUND, rel=BOUND), name
            else:
                assert getattr(other, name) == value, name


def test_an_exported_graph_is_a_scorer_with_the_settings_of_its_model(inspector, exported):
    assert isinstance(exported, Scorer)
    assert exported.settings.items() > inspector.settings.items()
    assert exported.threshold == inspector.threshold
    assert exported.device_name.startswith("cpu, ")
    assert "onnxruntime" in exported.versions


def test_a_profile_of_the_model_sets_the_threshold(inspector, exported, graph_file):
    profile = Profile(0.25, 0.05, 20, PROMPTS[0], inspector.settings, scores=(0.1, 0.2))
    used = OnnxInspector.load(graph_file, profile=profile)
    assert (used.threshold.value, len(used.good_scores)) == (0.25, 2)
    (result,) = used.score(colour_picture(), prompt=PROMPTS[0])
    assert result.percentile == 50 * sum(score < result.score for score in profile.scores)
    other = Profile(0.25, 0.05, 20, PROMPTS[0], inspector.settings | {"image_size": 84})
    with pytest.raises(UsageError, match="its image size is 84, but here it is 70"):
        OnnxInspector.load(graph_file, profile=other)


def test_a_band_is_applied_outside_the_graph(inspector, graph_file):
    picture = colour_picture()
    banded = OnnxInspector.load(graph_file, threshold=1, unsure=0)
    (result,) = banded.score(picture, prompt=PROMPTS[0])
    assert (result.verdict, result.unsure_threshold) == ("unsure", 0)
    profile = Profile(
        1.0, 0.05, 20, PROMPTS[0], inspector.settings, unsure_threshold=0.0, unsure_rate=0.5
    )
    (result,) = OnnxInspector.load(graph_file, profile=profile).score(picture, prompt=PROMPTS[0])
    assert result.verdict == "unsure"


def test_what_a_graph_does_not_have_is_refused(exported, graph_file):
    with pytest.raises(UsageError, match="exported for the prompts"):
        exported.score(colour_picture(), prompt="screw")
    with pytest.raises(UsageError, match="does not show its experts"):
        exported.score(colour_picture(), prompt=PROMPTS[0], experts_layer=2)
    with pytest.raises(UsageError, match="`batch_size` must be"):
        exported.score(colour_picture(), prompt=PROMPTS[0], batch_size=0)
    with pytest.raises(UsageError, match="`threshold` must be"):
        OnnxInspector.load(graph_file, threshold=2)


def test_other_files_are_refused():
    Path("text.onnx").write_text("not a graph")
    with pytest.raises(ModelError, match="text.onnx is not an ONNX graph"):
        OnnxInspector.load("text.onnx")
    with pytest.raises(ModelError, match="File not found: no.onnx"):
        OnnxInspector.load("no.onnx")
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    other = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Abs", ["x"], ["y"])], "abs", [value], [other]
    )
    opset = onnx.helper.make_opsetid("", 18)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=9), "other.onnx")
    with pytest.raises(ModelError, match=r"other.onnx was not written by this version"):
        OnnxInspector.load("other.onnx")


def test_the_inspector_of_checkpoints_names_that_of_graphs(graph_file):
    with pytest.raises(ModelError, match="`OnnxInspector`"):
        Inspector.load(graph_file)


def test_numbers_that_are_not_finite_never_become_a_verdict(graph_content):
    model = onnx.load_from_string(graph_content)
    broken = next(
        tensor
        for tensor in model.graph.initializer
        if tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) == 4
    )
    weights = onnx.numpy_helper.to_array(broken)
    broken.CopyFrom(onnx.numpy_helper.from_array(np.full_like(weights, np.nan), broken.name))
    onnx.save(model, "broken.onnx")
    exported = OnnxInspector.load("broken.onnx")
    with pytest.raises(ModelError, match="not even for a test image"):
        list(exported.score(colour_picture(), prompt=PROMPTS[0]))
