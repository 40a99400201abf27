"""Weights of a graph in half precision or in 8 bits; the graph computes in float32 all the same.

Each large weight is stored in fewer bits, and a node turns it into float32. For 8 bits the scale is
that of each output channel: symmetric, the largest weight of the channel becomes 127.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.choices import ExportWeights

# Smaller tensors, such as biases and norms, take little and matter much.
_SMALLEST = 1024
_LARGEST_INTEGER = 127


def shrink_weights(model: Any, weights: ExportWeights) -> None:
    """Store the large weights of a graph in fewer bits.

    Args:
        model: an `onnx.ModelProto`, which is changed.
        weights: "fp32" changes nothing.
    """
    if weights == "fp32":
        return
    graph = model.graph
    columns = {node.input[1] for node in graph.node if node.op_type == "MatMul"}
    tensors, nodes = [], []
    for tensor in graph.initializer:
        values = _shrinkable(tensor)
        if values is None:
            tensors.append(tensor)
            continue
        axis = values.ndim - 1 if tensor.name in columns else 0
        stored, node = _stored(tensor.name, values, axis, weights)
        tensors += stored
        nodes.append(node)
    nodes += graph.node
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(tensors)
    graph.node.extend(nodes)


def _stored(
    name: str, values: NDArray[np.float32], axis: int, weights: ExportWeights
) -> tuple[list[Any], Any]:
    """Tensors that hold a weight in fewer bits, and the node that gives it in float32."""
    from onnx import TensorProto, helper, numpy_helper

    small, scale = f"{name}.{weights}", f"{name}.scale"
    if weights == "fp16":
        half = numpy_helper.from_array(values.astype(np.float16), small)
        return [half], helper.make_node("Cast", [small], [name], to=TensorProto.FLOAT)
    numbers, scales = _in_8_bits(values, axis)
    tensors = [numpy_helper.from_array(numbers, small), numpy_helper.from_array(scales, scale)]
    return tensors, helper.make_node("DequantizeLinear", [small, scale], [name], axis=axis)


def _shrinkable(tensor: Any) -> NDArray[np.float32] | None:
    """The values of a large weight; None for any other tensor."""
    import onnx

    if tensor.data_type != onnx.TensorProto.FLOAT or len(tensor.dims) < 2:
        return None
    values: NDArray[np.float32] = onnx.numpy_helper.to_array(tensor)
    largest = np.abs(values).max(initial=0.0)
    fits = values.size >= _SMALLEST and largest < np.finfo(np.float16).max
    return values if fits else None


def _in_8_bits(
    values: NDArray[np.float32], axis: int
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Whole numbers from -127 to 127, and the scale of each channel along an axis."""
    others = tuple(number for number in range(values.ndim) if number != axis)
    largest = np.abs(values).max(axis=others, keepdims=True)
    scales = np.where(largest > 0, largest / _LARGEST_INTEGER, 1.0).astype(np.float32)
    return np.rint(values / scales).astype(np.int8), scales.reshape(-1)
