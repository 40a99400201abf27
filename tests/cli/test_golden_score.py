"""The recorded numbers again, as a user gets them: image files in, maps and a table out."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support.golden import LARGE, open_recording


def score_recording(moeclip, recording, model, domain):
    """Score the recorded pixels; compare maps and image scores with the recorded ones."""
    Path("images").mkdir(exist_ok=True)
    for number, pixels in enumerate(recording.tensors["pixels"].numpy()):
        Image.fromarray(pixels).save(f"images/{number}.png")
    out = Path(f"{model.name}-{domain}")
    result = moeclip(
        "score", "images", "--model", model, "--backbone-weights", recording.backbone,
        "--image-size", recording.image_size, "--prompt", recording.prompt, "--domain", domain,
        "--device", "cpu", "--save-maps", "--out", out,
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    with (out / "results.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    expected = recording.tensors[f"anomaly_map.{domain}"].numpy()
    assert len(rows) == len(expected)
    for number, (row, raw_map) in enumerate(zip(rows, expected, strict=True)):
        (path,) = (out / "maps").glob(f"{number}.*npy")
        assert np.abs(np.load(path) - raw_map).max() < 1e-3
        assert float(row["map_max"]) == pytest.approx(raw_map.max(), abs=1e-3)
        image_score = float(recording.tensors["image_score"][number])
        assert float(row["image_score"]) == pytest.approx(image_score, rel=1e-4)


@pytest.mark.parametrize("name", ["small", "small-relu-separate"])
@pytest.mark.parametrize("domain", ["industrial", "medical"])
def test_the_authors_file_and_the_converted_one(moeclip, tmp_path, name, domain):
    recording = open_recording(name, tmp_path)
    score_recording(moeclip, recording, recording.model, domain)
    converted = tmp_path / "converted.safetensors"
    levels = recording.metadata["levels"].strip("[]").replace(" ", "")
    result = moeclip(
        "models", "convert", recording.model, converted, "--levels", levels,
        "--backbone-weights", recording.backbone,
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    score_recording(moeclip, recording, converted, domain)


@pytest.mark.slow
@pytest.mark.skipif(not LARGE.is_dir(), reason="the full-size recordings are not here")
def test_full_size_model_at_518_pixels(moeclip, tmp_path):
    recording = open_recording("large-518", tmp_path)
    score_recording(moeclip, recording, recording.model, "industrial")


def test_recorded_input_is_the_preprocessed_image(tmp_path):
    from moeclip_cli.images.preprocess import preprocess
    from moeclip_cli.model.backbones.clip import CLIP

    recording = open_recording("small", tmp_path)
    for pixels, image in zip(
        recording.tensors["pixels"].numpy(), recording.tensors["images"], strict=True
    ):
        found = preprocess(pixels, recording.image_size, CLIP.preprocessing)
        assert torch.allclose(found, image, atol=1e-6)
