"""Print the lowest version of every dependency in pyproject.toml, as requirements for pip."""

from pathlib import Path

import tomli
from packaging.requirements import Requirement

# What a user can install; the tools of development are not held to a lowest version, and exporting
# needs a later torch than the rest.
EXTRAS = (
    "parquet", "excel", "heif", "remote", "dicom", "runtime", "openvino", "train", "tensorboard",
    "ray", "mqtt", "server",
)  # fmt: skip

project = tomli.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
extras = project["optional-dependencies"]
for text in [*project["dependencies"], *(each for extra in EXTRAS for each in extras[extra])]:
    requirement = Requirement(text)
    (floor,) = [each.version for each in requirement.specifier if each.operator == ">="]
    marker = f"; {requirement.marker}" if requirement.marker else ""
    options = f"[{','.join(requirement.extras)}]" if requirement.extras else ""
    print(f"{requirement.name}{options}=={floor}{marker}")
