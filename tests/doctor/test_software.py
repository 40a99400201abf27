from __future__ import annotations

from email.message import Message
from importlib import metadata

import pytest

from moeclip_cli import __version__
from moeclip_cli.doctor.software import software


@pytest.fixture
def installed(monkeypatch):
    """Change the installed versions: installed["torch"] = "2.0", or None for not installed."""
    versions = {}
    true_version = metadata.version

    def version(name):
        if versions.get(name, "") is None:
            raise metadata.PackageNotFoundError(name)
        return versions.get(name) or true_version(name)

    monkeypatch.setattr(metadata, "version", version)
    return versions


def findings_by_name():
    return {finding.name: finding for finding in software()}


def test_every_package_is_listed_with_its_version():
    findings = findings_by_name()
    assert findings["moeclip"].value == __version__
    for name in ("torch", "open-clip-torch", "pillow", "huggingface-hub"):
        assert findings[name].value == metadata.version(name)
    assert not any(finding.problem for finding in findings.values())


def test_development_tools_are_not_listed():
    assert not {"pytest", "ruff", "mypy"} & findings_by_name().keys()


def test_a_missing_package_is_a_problem(installed):
    installed["safetensors"] = None
    finding = findings_by_name()["safetensors"]
    assert finding.value == "not installed"
    assert "pip install 'safetensors>=" in finding.problem


@pytest.mark.parametrize("name", ["torch", "accelerate"])
def test_an_old_package_is_a_problem(installed, name):
    installed[name] = "0.1"
    finding = findings_by_name()[name]
    assert finding.value == "0.1"
    assert f"pip install '{name}>=" in finding.problem


def test_a_prerelease_of_a_later_version_is_compatible(installed):
    installed["torch"] = "99.0.0a0+git1234"
    assert findings_by_name()["torch"].problem is None


def test_a_missing_extra_is_not_a_problem_but_shows_its_install_command(installed):
    installed["pyarrow"] = None
    finding = findings_by_name()["pyarrow"]
    assert finding.problem is None
    assert 'pip install "moeclip[parquet]"' in finding.value


def test_uninstalled_source(installed):
    installed["moeclip"] = None
    assert "pip install" in findings_by_name()["packages"].problem


def test_the_distribution_without_pytorch_has_packages_of_its_own(installed, monkeypatch):
    installed.update({"moeclip": None, "moeclip-runtime": __version__})
    needed = {"moeclip-runtime": ["pillow>=10.3"]}
    monkeypatch.setattr(metadata, "requires", needed.__getitem__)
    monkeypatch.setattr(metadata, "metadata", lambda name: Message())
    findings = findings_by_name()
    assert findings.keys() == {"moeclip", "python", "system", "pillow"}
    assert not any(finding.problem for finding in findings.values())
