"""Agreement with the numbers that the authors' code computed on stand-in weights."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from standins import SIZES, authors_checkpoint, backbone_state

from moeclip_cli.checkpoints.loading import load_model
from moeclip_cli.inspection.scoring import score

DATA = Path(__file__).parents[1] / "data"
# The recordings of the full-size model are too large to ship; they are used where they lie.
LARGE = Path(os.environ.get("MOECLIP_GOLDEN", Path(__file__).parents[3] / "shared" / "golden"))

NAMES = {
    "candle": "candle",
    "metal_nut": "metal nut which has four notched edges",
    "Brain": "scan",
    "object": "object",
}


class Recording:
    """A golden file and the network that it was recorded from."""

    def __init__(self, path, folder, *, size, **options):
        self.tensors = load_file(path)
        with safe_open(path, "pt") as file:
            self.metadata = file.metadata()
        self.size = int(self.metadata["px"])
        torch.save(backbone_state(size), folder / "backbone.pt")
        torch.save(authors_checkpoint(size, **options), folder / "model.pth")
        self.network = load_model(
            str(folder / "model.pth"),
            backbone_weights=folder / "backbone.pt",
            image_size=self.size,
        ).network
        levels = tuple(json.loads(self.metadata["levels"]))
        assert self.network.config.layers == levels
        assert self.network.config.rank == SIZES[size].rank

    def text(self, category):
        return self.network.encode_text([NAMES[category]])[0]


SMALL = {"small": {}, "small-relu-separate": {"relu": True, "separate": True}}


@pytest.fixture(scope="module", params=list(SMALL))
def recording(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    return Recording(
        DATA / f"{request.param}.safetensors", folder, size="small", **SMALL[request.param]
    )


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    return Recording(LARGE / "large.safetensors", tmp_path_factory.mktemp("large"), size="large")


@pytest.fixture(scope="module")
def large_518(tmp_path_factory):
    folder = tmp_path_factory.mktemp("large-518")
    return Recording(LARGE / "large-518.safetensors", folder, size="large")


def assert_close(actual, expected, relative=1e-4):
    """Within `relative` of the recorded tensor's own scale."""
    assert actual.shape == expected.shape
    error = (actual - expected).abs().max() / expected.abs().max()
    assert error < relative, f"relative error {error:.2e}"


def check_text(recording):
    names = [key for key in recording.tensors if key.startswith("text_features.")]
    assert names
    for key in names:
        assert_close(recording.text(key.partition(".")[2]), recording.tensors[key])


def check_images(recording):
    golden = recording.tensors
    patches, feature, routing = recording.network.encode_image(golden["images"])
    if "patch_features" in golden:
        assert_close(patches, golden["patch_features"])
    assert_close(feature, golden["image_feature"])
    if "router_topk" in golden:
        choices = torch.stack([decision.choice for decision in routing])
        top = torch.stack([decision.probabilities for decision in routing]).topk(3).values
        # Where probabilities all but tie, the order is rounding's to choose.
        clear = (-top.diff() > 1e-6).all(dim=-1)
        assert clear.float().mean() > 0.9
        assert torch.equal(choices[clear], golden["router_topk"][clear])


def check_scores(recording):
    golden = recording.tensors
    text = recording.text(recording.metadata["first_class"])
    comparison = recording.network(golden["images"], text)
    assert_close(comparison.patches, golden["patch_similarity"])
    for domain in ("industrial", "medical"):
        scores = score(comparison, recording.size, domain)
        expected = golden[f"anomaly_map.{domain}"]
        assert (scores.raw_map - expected).abs().max() < 1e-3
        assert (scores.map_max - expected.amax(dim=(1, 2))).abs().max() < 1e-3
        assert_close(scores.image_score, golden["image_score"])


@torch.inference_mode()
def test_text_features(recording):
    check_text(recording)


@torch.inference_mode()
def test_image_features_and_routing(recording):
    check_images(recording)


@torch.inference_mode()
def test_similarities_maps_and_scores(recording):
    check_scores(recording)


@torch.inference_mode()
def test_prompts_of_their_own_for_each_image(recording):
    images = recording.tensors["images"]
    texts = recording.network.encode_text([NAMES["candle"], NAMES["object"]]).squeeze()
    together = recording.network(images, texts)
    for i in range(2):
        alone = recording.network(images[i : i + 1], texts[i])
        assert torch.allclose(together.patches[:, i], alone.patches[:, 0], atol=1e-6)
        assert torch.allclose(together.image[i], alone.image[0], atol=1e-6)


@pytest.mark.slow
@pytest.mark.skipif(not LARGE.is_dir(), reason="the full-size recordings are not here")
@torch.inference_mode()
def test_full_size_model(large):
    check_text(large)
    check_images(large)
    check_scores(large)


@pytest.mark.slow
@pytest.mark.skipif(not LARGE.is_dir(), reason="the full-size recordings are not here")
@torch.inference_mode()
def test_full_size_model_at_518_pixels(large_518):
    check_images(large_518)
    check_scores(large_518)
