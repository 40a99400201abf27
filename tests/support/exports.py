"""Exported graphs of small networks, made once for all tests."""

from __future__ import annotations

import pytest
import timm
import torch
from safetensors.torch import save_file

_TOWER = {
    "patch_size": 14,
    "embed_dim": 128,
    "depth": 2,
    "num_heads": 2,
    "init_values": 1.0,
    "num_classes": 0,
}
PROMPTS = ("bolt", "steel nut")


@pytest.fixture(scope="session")
def graph_content(inspector) -> bytes:
    """The stand-in model for two prompts, as a graph of network inputs."""
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package)
    from moeclip_cli.exports.onnx_file import export_onnx

    return export_onnx(inspector, PROMPTS, resizes=False)


@pytest.fixture(scope="session")
def graph_file(graph_content, tmp_path_factory):
    """The same as a file."""
    path = tmp_path_factory.mktemp("graph") / "standin.onnx"
    path.write_bytes(graph_content)
    return path


@pytest.fixture(scope="session")
def openvino_graph(graph_content, tmp_path_factory):
    """The same for OpenVINO, as the path of its .xml file."""
    pytest.importorskip("openvino")
    from moeclip_cli.exports.openvino_file import to_openvino

    path = tmp_path_factory.mktemp("openvino") / "standin.xml"
    files = to_openvino(graph_content)
    path.write_bytes(files.xml)
    path.with_suffix(".bin").write_bytes(files.weights)
    return path


@pytest.fixture(scope="session")
def frozen_inspector(tmp_path_factory):
    """Adapters with self-comparison on a small frozen DINOv2, at two sizes; weights are random."""
    from moeclip_cli import Inspector
    from moeclip_cli.checkpoints.backbones import read_backbone
    from moeclip_cli.checkpoints.configuration import BackboneRef, CheckpointConfig
    from moeclip_cli.checkpoints.loading import LoadedModel
    from moeclip_cli.model.adapters import Adapters
    from moeclip_cli.model.backbones.table import build_backbone, infer_architecture
    from moeclip_cli.model.config import NetworkConfig
    from moeclip_cli.model.moeclip import MoECLIP

    file = tmp_path_factory.mktemp("frozen") / "tower.safetensors"
    network = NetworkConfig(layers=(1, 2), image_size=98, adapted_tower=False, self_comparison=True)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        tower = timm.models.VisionTransformer(img_size=70, **_TOWER)
        # Contiguous: safetensors refuses other tensors.
        save_file({name: value.contiguous() for name, value in tower.state_dict().items()}, file)
        adapters = Adapters(network, 128, None, 128)
        for parameter in adapters.parameters():
            if not parameter.any():  # what changes nothing before it is trained
                torch.nn.init.normal_(parameter, std=0.1)
    state = read_backbone(file)
    backbone = build_backbone(infer_architecture(state), state, quick_gelu=False)
    config = CheckpointConfig(network, BackboneRef("small"), scales=(84,), image_weight=0.25)
    model = LoadedModel(MoECLIP(network, backbone, adapters).eval(), config, "frozen", "0", file)
    return Inspector(model, device="cpu")


@pytest.fixture(scope="session")
def resizing_content(frozen_inspector) -> bytes:
    """The same as a graph of 8-bit images."""
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package)
    from moeclip_cli.exports.onnx_file import export_onnx

    return export_onnx(frozen_inspector, ["object"], resizes=True)
