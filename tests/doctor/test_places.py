from __future__ import annotations

from pathlib import Path

import pytest
from huggingface_hub import constants

from moeclip_cli.doctor.places import places


def found():
    return {finding.name: finding.value for finding in places(Path("moeclip.toml"))}


def test_the_datasets_folder_is_the_one_that_is_used(monkeypatch, tmp_path):
    assert found()["datasets"] == f"{tmp_path / 'data'}, not there"
    monkeypatch.setenv("MOECLIP_DATA", str(tmp_path))
    assert found()["datasets"].startswith(f"{tmp_path}, ")
    assert found()["datasets"].endswith(" GB free")


@pytest.mark.parametrize("offline", [True, False])
def test_the_cache_and_whether_the_hub_is_asked(monkeypatch, tmp_path, offline):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
    assert found()["hub cache"].startswith(str(tmp_path))
    assert ("HF_HUB_OFFLINE" in found()["hub cache"]) == offline


def test_settings_in_effect(monkeypatch, tmp_path):
    assert "settings" not in found()
    Path("moeclip.toml").write_text("prompt = 'bolt'")
    monkeypatch.setenv("MOECLIP_DEVICE", "cpu")
    assert found()["settings"] == str(tmp_path / "moeclip.toml")
    assert found()["MOECLIP_DEVICE"] == "cpu"


def test_nothing_secret_is_shown(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert "hf_secret" not in str(found())
