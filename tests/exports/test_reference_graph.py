"""Graphs with references, and graphs whose images are scored in tiles."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from support.samples import colour_picture, save_image

from moeclip_cli import Inspector, OnnxInspector, Profile
from moeclip_cli.errors import UsageError
from moeclip_cli.exports import reference_graph
from moeclip_cli.exports.check import BOUND, compare
from moeclip_cli.exports.onnx_file import export_onnx
from moeclip_cli.exports.onnx_session import OnnxSession
from moeclip_cli.model.bank import image_score
from moeclip_cli.model.frozen_tower import FrozenTower
from moeclip_cli.tiles.framing import Framing

pytest.importorskip("onnxscript")

PICTURES = [
    colour_picture(height, width, seed)
    for seed, (height, width) in enumerate([(90, 90), (60, 130), (150, 70), (90, 90)], start=10)
]
GOOD = [colour_picture(100, 120, seed) for seed in range(3)]


def same_results(ours, theirs, images, **options):
    """Check that rows are equal, numbers within the bound; the maps are compared elsewhere."""
    pairs = zip(ours.score(images, **options), theirs.score(images, **options), strict=True)
    for one, other in pairs:
        for name, value in vars(one.row()).items():
            found = getattr(other.row(), name)
            if isinstance(value, float):
                assert found == pytest.approx(value, abs=BOUND, rel=BOUND), name
            else:
                assert found == value, name


@pytest.fixture(scope="module")
def compared(standin):
    """The stand-in model with references."""
    return Inspector.load(
        str(standin.model),
        backbone_weights=standin.backbone,
        image_size=70,
        device="cpu",
        references=GOOD,
    )


@pytest.fixture(scope="module")
def exported(compared):
    # More patches than fit into one block.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reference_graph, "_ROWS", 32)
        return OnnxInspector(OnnxSession(export_onnx(compared, ["bolt"], resizes=False)))


def test_a_graph_with_references_equals_its_model(compared, exported):
    found = compare(compared, exported, PICTURES, ["bolt"])
    assert found.images == len(PICTURES)
    assert found.score < BOUND
    assert found.map < BOUND
    assert exported.threshold == compared.threshold
    assert exported.settings.items() > compared.settings.items()
    same_results(compared, exported, PICTURES, prompt="bolt")
    (result,) = exported.score(PICTURES[0], prompt="bolt")
    assert result.zero_shot is not None
    assert result.percentile is not None


def test_a_reference_is_compared_with_the_others(compared, exported):
    same_results(compared, exported, [GOOD[1], PICTURES[0]], prompt="bolt")
    (result,) = exported.score(GOOD[1], prompt="bolt")
    assert result.references == len(GOOD) - 1
    assert result.notes == ("is a reference; compared with the other references only",)


def test_the_profile_of_the_references_fits_and_another_does_not(compared, exported):
    profile = Profile(0.25, 0.05, 20, "bolt", compared.settings, scores=(0.1, 0.2))
    used = OnnxInspector(exported._session, profile=profile)
    assert (used.threshold.value, len(used.good_scores)) == (0.25, 2)
    other = Profile(0.25, 0.05, 20, "bolt", compared.settings | {"references": "00"})
    with pytest.raises(UsageError, match="its references is"):
        OnnxInspector(exported._session, profile=other)
    with pytest.raises(UsageError, match="in the tiles of their profile; omit `tile`"):
        OnnxInspector(exported._session, framing=Framing(64))


def test_a_tower_without_adapters_keeps_the_aspect_ratio(frozen_inspector):
    model = frozen_inspector.model
    tower = FrozenTower(model.network.config, model.network.backbone)
    config = replace(model.config, scales=())
    placed = replace(model, network=tower, config=config)
    inspector = Inspector(placed, device="cpu", references=GOOD)
    with pytest.raises(UsageError, match="omit `with_preprocessing`"):
        export_onnx(inspector, ["object"], resizes=True)
    exported = OnnxInspector(OnnxSession(export_onnx(inspector, ["object"], resizes=False)))
    assert exported.model.keeps_aspect
    shapes = {result.probability.shape for result in exported.score(PICTURES)}
    assert len(shapes) == 3
    found = compare(inspector, exported, [*PICTURES, GOOD[0]], ["object"])
    assert found.images == len(PICTURES) + 1
    assert found.score < BOUND
    assert found.map < BOUND


@pytest.mark.parametrize("length", [1, 49, 50, 51, 149, 150, 151, 250, 256, 350, 1024])
def test_the_most_distant_patches_are_as_many_as_in_the_model(length):
    distances = torch.rand(2, length, generator=torch.Generator().manual_seed(length))
    found = reference_graph._largest_mean(distances)
    torch.testing.assert_close(found, image_score(distances))


@pytest.mark.parametrize("options", [{"tile": 64}, {"tile": "auto", "smallest": 14}])
def test_a_graph_scores_images_in_tiles(standin, graph_file, options):
    inspector = Inspector.load(
        str(standin.model),
        backbone_weights=standin.backbone,
        image_size=70,
        device="cpu",
        threshold=0.5,
        **options,
    )
    exported = OnnxInspector.load(graph_file, threshold=0.5, **options)
    save_image("part.png", seed=3)
    images = [PICTURES[1], "part.png", b"not an image", PICTURES[2]]
    same_results(inspector, exported, images, prompt="bolt", batch_size=3)
    found = compare(inspector, exported, images, ["bolt"])
    assert (found.images, found.unreadable) == (3, 1)
    assert found.map < BOUND
    assert exported.settings["tile"] == inspector.settings["tile"]


def test_the_threshold_of_whole_images_is_said_to_be_one(inspector, graph_file):
    tiled = OnnxInspector.load(graph_file, tile=64)
    assert tiled.threshold.of_whole_images
    assert tiled.threshold.value == inspector.threshold.value


def test_tiles_of_a_profile_are_used(inspector, graph_file):
    settings = inspector.settings | {"tile": 48, "overlap": 0.5}
    profile = Profile(0.25, 0.05, 20, "bolt", settings)
    used = OnnxInspector.load(graph_file, profile=profile)
    assert used.layout.settings == {"tile": 48, "overlap": 0.5}
