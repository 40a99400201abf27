from __future__ import annotations

import numpy as np
import pytest
from support.exports import PROMPTS

from moeclip_cli.exports.check import compare
from moeclip_cli.exports.onnx_inspector import OnnxInspector
from moeclip_cli.exports.onnx_session import OnnxSession
from moeclip_cli.exports.small_weights import shrink_weights

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
ReferenceEvaluator = pytest.importorskip("onnx.reference").ReferenceEvaluator


@pytest.mark.parametrize(
    ("weights", "share", "difference"), [("fp16", 0.55, 0.002), ("int8", 0.35, 0.05)]
)
def test_a_graph_with_small_weights_is_small_and_scores_nearly_the_same(
    inspector, graph_content, weights, share, difference
):
    model = onnx.load_from_string(graph_content)
    shrink_weights(model, weights)
    onnx.checker.check_model(model)
    stored = [sum(len(tensor.raw_data) for tensor in one.graph.initializer)
              for one in (onnx.load_from_string(graph_content), model)]  # fmt: skip
    assert stored[1] < share * stored[0]
    exported = OnnxInspector(OnnxSession(model.SerializeToString()))
    images = [np.random.default_rng(0).integers(0, 256, (90, 60, 3), np.uint8)]
    found = compare(inspector, exported, images, PROMPTS[:1])
    assert 0 < found.score < difference


def test_weights_in_8_bits_leave_the_activations_in_float32(graph_content):
    model = onnx.load_from_string(graph_content)
    shrink_weights(model, "int8")
    content = model.SerializeToString()
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    plain = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    chance = np.random.default_rng(0)
    inputs: dict[str, object] = {}
    for value in plain.get_inputs():
        shape = [size if isinstance(size, int) else 1 for size in value.shape]
        floats = value.type == "tensor(float)"
        inputs[value.name] = (
            chance.normal(size=shape).astype(np.float32) if floats else np.zeros(shape, np.int64)
        )
    found = OnnxSession(content).run(inputs)["anomaly_map"]
    (exact,) = plain.run(["anomaly_map"], inputs)
    assert np.ptp(exact) > 0
    np.testing.assert_allclose(found, exact, atol=2e-6)


def test_weights_in_float32_stay_as_they_are(graph_content):
    model = onnx.load_from_string(graph_content)
    shrink_weights(model, "fp32")
    assert model.SerializeToString(deterministic=True) == onnx.load_from_string(
        graph_content
    ).SerializeToString(deterministic=True)


@pytest.mark.parametrize(("operation", "axis"), [("MatMul", 1), ("Gemm", 0)])
def test_each_channel_has_its_own_scale(operation, axis):
    values = np.random.default_rng(1).normal(size=(64, 64)).astype(np.float32)
    channels = np.geomspace(1e-3, 1e3, 64, dtype=np.float32)
    values *= channels if axis == 1 else channels[:, None]
    values[:, 3] = 0
    image, found = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [64, 64])
        for name in ("image", "found")
    )
    node = onnx.helper.make_node(
        operation, ["image", "weight"], ["found"], **({} if axis else {"transB": 1})
    )
    tensor = onnx.numpy_helper.from_array(values, "weight")
    graph = onnx.helper.make_graph([node], "product", [image], [found], [tensor])
    opset = onnx.helper.make_opsetid("", 20)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=9)
    shrink_weights(model, "int8")
    (restored,) = ReferenceEvaluator(model).run(None, {"image": np.eye(64, dtype=np.float32)})
    restored = restored if axis else restored.T
    largest = np.abs(values).max(axis=1 - axis, keepdims=True)
    assert (np.abs(restored - values) <= largest / 254 * 1.001).all()
