from __future__ import annotations

import json

from support.samples import save_image


def test_generated_data_is_a_dataset(moeclip):
    result = moeclip(
        "datasets", "synthesize", "made", "--categories", "2", "--images", "2", "--size", "48",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert "moeclip train --data made" in result.stderr
    assert moeclip("datasets", "check", "made").exit_code == 0
    rows = [json.loads(line) for line in moeclip("datasets", "list", "made").stdout.splitlines()]
    assert sum(row["label"] for row in rows) == 4
    assert len({row["class_name"] for row in rows}) == 2
    assert all(("mask_path" in row) == bool(row["label"]) for row in rows)


def test_ones_own_normal_images_get_defects(moeclip, parts):
    (parts / "broken.png").write_bytes(b"nothing")
    result = moeclip("datasets", "synthesize", "made", "--normal", parts)
    assert result.exit_code == 0, result.stderr
    assert "broken.png" in result.stderr
    assert moeclip("datasets", "check", "made").exit_code == 0
    rows = [json.loads(line) for line in moeclip("datasets", "list", "made").stdout.splitlines()]
    assert {row["class_name"] for row in rows} == {"parts"}
    assert sum(row["label"] for row in rows) == 6


def test_refusals(moeclip, tmp_path):
    save_image(tmp_path / "image.png")
    full = moeclip("datasets", "synthesize", tmp_path)
    assert full.exit_code == 2 and "is not empty" in full.stderr
    missing = moeclip("datasets", "synthesize", "made", "--normal", "nowhere")
    assert missing.exit_code == 2 and "The folder nowhere was not found" in missing.stderr
    many = moeclip("datasets", "synthesize", "made", "--categories", "999")
    assert many.exit_code == 2 and "--categories must be between" in many.stderr
    assert "Traceback" not in full.stderr + missing.stderr + many.stderr
