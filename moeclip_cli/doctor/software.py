"""Installed packages, read from their metadata, so that a broken package is listed too."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from importlib import metadata

from packaging.requirements import Requirement

from moeclip_cli._version import __version__
from moeclip_cli.doctor.finding import Finding
from moeclip_cli.extras import is_installed

_PACKAGES = ("moeclip", "moeclip-runtime")  # with and without PyTorch; one of them is installed
_DEVELOPMENT_EXTRA = "dev"


def software() -> Iterator[Finding]:
    """Yield versions of moeclip, Python, the system and every package that moeclip uses."""
    yield Finding("moeclip", __version__)
    yield Finding("python", f"{platform.python_version()} ({sys.executable})")
    yield Finding("system", platform.platform())
    package = next(filter(is_installed, _PACKAGES), None)
    if package is None:
        problem = "moeclip is not installed; run pip install on its source folder."
        yield Finding("packages", "unknown", problem)
        return
    requirements = [Requirement(line) for line in metadata.requires(package) or ()]
    extras = metadata.metadata(package).get_all("Provides-Extra") or []
    optional = []
    shown = set()
    for requirement in requirements:
        if _applies(requirement, ""):
            problem = f"moeclip requires {requirement.name}; run {_install_command(requirement)}."
            yield _package(requirement, "not installed", problem)
        else:
            optional.append(requirement)
    for extra in extras:
        if extra != _DEVELOPMENT_EXTRA:
            missing = f'not installed (optional): pip install "{package}[{extra}]"'
            required = [
                each for each in optional if _applies(each, extra) and each.name not in shown
            ]
            shown |= {each.name for each in required}
            yield from (_package(requirement, missing) for requirement in required)


def _applies(requirement: Requirement, extra: str) -> bool:
    """Return True if moeclip with an extra ("" for none) has this requirement on this system."""
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def _package(requirement: Requirement, missing: str, problem: str | None = None) -> Finding:
    """Check the installed version of a package.

    Args:
        requirement: the package and its allowed versions.
        missing: value of the finding if the package is not installed.
        problem: problem of the finding if the package is not installed.
    """
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return Finding(requirement.name, missing, problem)
    return Finding(requirement.name, version, _version_problem(requirement, version))


def _version_problem(requirement: Requirement, version: str) -> str | None:
    if requirement.specifier.contains(version, prereleases=True):
        return None
    command = _install_command(requirement)
    return f"{requirement.name} {version} is not compatible with moeclip; run {command}."


def _install_command(requirement: Requirement) -> str:
    return f"pip install '{requirement.name}{requirement.specifier}'"
