"""Print the lowest version of every dependency in pyproject.toml, as requirements for pip."""

from pathlib import Path

import tomli
from packaging.requirements import Requirement

# What a user can install; the tools of development are not held to a lowest version.
EXTRAS = ("parquet", "train", "tensorboard")

project = tomli.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
extras = project["optional-dependencies"]
for text in [*project["dependencies"], *(each for extra in EXTRAS for each in extras[extra])]:
    requirement = Requirement(text)
    (floor,) = [each.version for each in requirement.specifier if each.operator == ">="]
    marker = f"; {requirement.marker}" if requirement.marker else ""
    print(f"{requirement.name}=={floor}{marker}")
