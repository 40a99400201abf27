from __future__ import annotations

import pytest
from support.exports import PROMPTS

from moeclip_cli import Inspector
from moeclip_cli.errors import ModelError
from moeclip_cli.exports.check import BOUND, PAIRS, Differences, compare, generated_images
from moeclip_cli.exports.onnx_inspector import OnnxInspector
from moeclip_cli.exports.onnx_session import OnnxSession


def test_differences_up_to_the_bound_pass():
    Differences(1, score=BOUND, map=BOUND).require_small()


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (Differences(1, score=2 * BOUND), "0.0002 in a score"),
        (Differences(1, map=2 * BOUND), "0.0002 in a map"),
        (Differences(1, score=float("nan")), "nan in a score"),
        (Differences(0, unreadable=2), "nothing was compared"),
    ],
)
def test_other_differences_do_not(found, message):
    with pytest.raises(ModelError, match=message):
        found.require_small()


def test_a_graph_of_another_model_is_found(standin, graph_content):
    other = Inspector.load(
        str(standin.model),
        backbone_weights=standin.backbone,
        image_size=70,
        domain="medical",
        device="cpu",
    )
    exported = OnnxInspector(OnnxSession(graph_content))
    images = [*generated_images(70)][:2]
    found = compare(other, exported, images, PROMPTS[:1])
    assert found.score > BOUND
    assert found.map > BOUND


def test_images_that_neither_can_read_are_counted(inspector, graph_content):
    exported = OnnxInspector(OnnxSession(graph_content))
    found = compare(inspector, exported, [b"not an image"], PROMPTS[:1])
    assert found == Differences(0, unreadable=1)


def test_generated_images_have_several_shapes_and_are_always_the_same():
    shapes = [pixels.shape for pixels in generated_images(70)]
    assert len(shapes) == 2 * PAIRS
    assert len(set(shapes)) == PAIRS
    pairs = zip(generated_images(70), generated_images(70), strict=True)
    assert all((one == other).all() for one, other in pairs)
