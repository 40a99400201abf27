"""What is installed beside moeclip, read without importing it: a broken package is found too."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from importlib import metadata

from packaging.requirements import Requirement

from moeclip_cli import __version__
from moeclip_cli.doctor.finding import Finding

_PACKAGE = "moeclip"
# For people who work on moeclip itself.
_NOT_FOR_USERS = "dev"


def software() -> Iterator[Finding]:
    """Versions of moeclip, Python and the system, then of every package that moeclip uses."""
    yield Finding("moeclip", __version__)
    yield Finding("python", f"{platform.python_version()} ({sys.executable})")
    yield Finding("system", platform.platform())
    try:
        requirements = [Requirement(line) for line in metadata.requires(_PACKAGE) or ()]
        extras = metadata.metadata(_PACKAGE).get_all("Provides-Extra") or []
    except metadata.PackageNotFoundError:
        problem = "Only the source of moeclip is here: run pip install on its folder."
        yield Finding("packages", "unknown", problem)
        return
    optional = []
    for requirement in requirements:
        if _applies(requirement, ""):
            problem = f"moeclip needs {requirement.name}: pip install '{_plain(requirement)}'."
            yield _package(requirement, "not installed", problem)
        else:
            optional.append(requirement)
    for extra in extras:
        if extra != _NOT_FOR_USERS:
            missing = f'not installed (optional): pip install "{_PACKAGE}[{extra}]"'
            yield from (_package(one, missing) for one in optional if _applies(one, extra))


def _applies(requirement: Requirement, extra: str) -> bool:
    """Whether moeclip, installed with an extra ("" for none), has this requirement here."""
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def _package(requirement: Requirement, missing: str, problem: str | None = None) -> Finding:
    """The installed version, and whether it will do; what to say if there is none."""
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return Finding(requirement.name, missing, problem)
    return Finding(requirement.name, version, _too_old(requirement, version))


def _too_old(requirement: Requirement, version: str) -> str | None:
    if requirement.specifier.contains(version, prereleases=True):
        return None
    wanted = _plain(requirement)
    return f"{requirement.name} {version} is not what moeclip needs: pip install '{wanted}'."


def _plain(requirement: Requirement) -> str:
    return f"{requirement.name}{requirement.specifier}"
