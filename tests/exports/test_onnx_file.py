"""Graphs equal the networks that they are made of."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.exports import PROMPTS
from support.samples import colour_picture, save_image

from moeclip_cli.errors import UsageError
from moeclip_cli.exports.check import BOUND, compare
from moeclip_cli.exports.description import Description
from moeclip_cli.exports.onnx_file import describe, export_onnx
from moeclip_cli.exports.onnx_inspector import OnnxInspector
from moeclip_cli.exports.onnx_session import OnnxSession

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

PICTURES = [
    colour_picture(height, width, seed)
    for seed, (height, width) in enumerate([(40, 60), (90, 30), (98, 98), (40, 60), (200, 150)])
]


def test_a_graph_equals_its_model_for_each_prompt(inspector, graph_content):
    exported = OnnxInspector(OnnxSession(graph_content))
    found = compare(inspector, exported, PICTURES, PROMPTS)
    assert found.images == len(PROMPTS) * len(PICTURES)
    assert found.score < BOUND
    assert found.map < BOUND
    bolt, nut = (next(exported.score(PICTURES[:1], prompt=prompt)).score for prompt in PROMPTS)
    assert abs(bolt - nut) > 10 * BOUND


def test_an_early_torch_is_refused_with_what_to_do(inspector, monkeypatch):
    monkeypatch.setattr(torch, "__version__", "2.10.0+cu128")
    with pytest.raises(UsageError, match=r"torch 2\.14 or later, not 2\.10\.0\+cu128; run pip"):
        export_onnx(inspector, PROMPTS, resizes=False)


def test_a_graph_resizes_images_itself_at_every_size_of_a_frozen_tower(
    frozen_inspector, resizing_content
):
    exported = OnnxInspector(OnnxSession(resizing_content))
    assert exported.model.inputs == ("images",)
    assert exported.model.image_sizes == (98, 84)
    found = compare(frozen_inspector, exported, PICTURES, ["object"])
    assert found.images == len(PICTURES)
    assert found.score < BOUND
    assert found.map < BOUND
    # Without a text tower every prompt is the same.
    scores = {next(exported.score(PICTURES[:1], prompt=name)).score for name in ("a", "b")}
    assert len(scores) == 1


def test_position_embeddings_are_resized_before_the_export(resizing_content):
    """Their bicubic filter is not the same in every runtime."""
    graph = onnx.load_from_string(resizing_content).graph
    resizing = [node for node in graph.node if node.op_type == "Resize"]
    modes = {onnx.helper.get_node_attr_value(node, "mode") for node in resizing}
    assert modes == {b"linear"}  # of the anomaly map


def test_images_of_a_batch_can_have_different_prompts(inspector, graph_content, tmp_path):
    for number, name in enumerate(PROMPTS):
        save_image(tmp_path / f"{name}.png", seed=number)
    paths = [tmp_path / f"{name}.png" for name in PROMPTS]
    exported = OnnxInspector(OnnxSession(graph_content))
    ours, theirs = (
        [result.score for result in one.score(paths, prompt=lambda path: path.stem, batch_size=2)]
        for one in (inspector, exported)
    )
    np.testing.assert_allclose(ours, theirs, atol=BOUND)


def test_the_file_says_what_it_is_and_not_where_it_was_made(inspector, graph_content):
    model = onnx.load_from_string(graph_content)
    onnx.checker.check_model(model)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert Description.from_metadata(metadata) == describe(inspector, PROMPTS, resizes=False)
    assert metadata["moeclip.model_digest"] == inspector.model.digest
    batch = [value.type.tensor_type.shape.dim[0].dim_param for value in model.graph.input]
    assert [value.name for value in model.graph.input] == ["images_70", "prompt"]
    assert batch == ["batch", "batch"]
    assert b".py" not in graph_content


@pytest.mark.parametrize(
    ("prompts", "message"),
    [([], "at least one"), (["a", "a"], "once"), (["a", " "], "is empty")],
)
def test_prompts_are_checked(inspector, prompts, message):
    with pytest.raises(UsageError, match=message):
        describe(inspector, prompts, resizes=False)
