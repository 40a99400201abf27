from __future__ import annotations

from pathlib import Path

import pytest
from huggingface_hub import constants

from moeclip_cli.doctor.locations import locations


def values_by_name():
    return {finding.name: finding.value for finding in locations(Path("moeclip.toml"))}


def test_the_dataset_folder_follows_the_environment_variable(monkeypatch, tmp_path):
    assert values_by_name()["datasets"] == f"{tmp_path / 'data'}, not found"
    monkeypatch.setenv("MOECLIP_DATA", str(tmp_path))
    assert values_by_name()["datasets"].startswith(f"{tmp_path}, ")
    assert values_by_name()["datasets"].endswith(" GB free")


@pytest.mark.parametrize("offline", [True, False])
def test_the_hub_cache_and_its_offline_mode(monkeypatch, tmp_path, offline):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
    assert values_by_name()["hub cache"].startswith(str(tmp_path))
    assert ("HF_HUB_OFFLINE" in values_by_name()["hub cache"]) == offline


def test_settings_file_and_variables(monkeypatch, tmp_path):
    assert "settings" not in values_by_name()
    Path("moeclip.toml").write_text("prompt = 'bolt'")
    monkeypatch.setenv("MOECLIP_DEVICE", "cpu")
    assert values_by_name()["settings"] == str(tmp_path / "moeclip.toml")
    assert values_by_name()["MOECLIP_DEVICE"] == "cpu"


@pytest.mark.parametrize("name", ["MOECLIP_TOKEN", "MOECLIP_WEBHOOK_SECRET"])
def test_secrets_are_not_shown(monkeypatch, name):
    monkeypatch.setenv(name, "s3cret")
    assert values_by_name()[name] == "set"


def test_other_variables_are_not_shown(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert "hf_secret" not in str(values_by_name())
