from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from moeclip_cli.doctor import hardware as module
from moeclip_cli.doctor.hardware import hardware


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)


def findings_by_name():
    return {finding.name: finding for finding in hardware()}


def test_processor_and_memory():
    findings = findings_by_name()
    assert f"torch uses {torch.get_num_threads()}" in findings["cpu"].value
    assert float(findings["memory"].value.removesuffix(" GiB")) > 0.1


def test_each_gpu_is_listed(monkeypatch):
    gpu = SimpleNamespace(name="NVIDIA H200", total_memory=140 * 2**30, major=9, minor=0)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: gpu)
    findings = findings_by_name()
    assert "cuda" not in findings
    assert findings["cuda:1"].value == "NVIDIA H200, 140 GiB, compute 9.0"


def test_a_machine_without_a_gpu_is_not_a_problem(no_gpu, monkeypatch, tmp_path):
    monkeypatch.setattr(module, "_NVIDIA_DRIVER", tmp_path / "none")
    finding = findings_by_name()["cuda"]
    assert finding.value.startswith("none")
    assert finding.problem is None


@pytest.mark.parametrize(
    ("cuda_version", "words"), [(None, "not a CUDA build"), ("13.2", "update NVIDIA's driver")]
)
def test_a_gpu_that_pytorch_cannot_use_is_a_problem(
    no_gpu, monkeypatch, tmp_path, cuda_version, words
):
    driver = tmp_path / "version"
    driver.touch()
    monkeypatch.setattr(module, "_NVIDIA_DRIVER", driver)
    monkeypatch.setattr(torch.version, "cuda", cuda_version)
    assert words in findings_by_name()["cuda"].problem
