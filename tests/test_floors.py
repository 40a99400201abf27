"""The floors of the package: modules import from lower floors and from their own package only.

Imports for type checking and imports inside functions count as well.
"""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

from support.floors import FLOORS

import moeclip_cli

FLOOR_OF = {package: floor for floor, packages in enumerate(FLOORS) for package in packages}
ROOT = Path(moeclip_cli.__file__).parent
MODULES = {
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in ROOT.rglob("*.py")
}


def imports(module):
    """The modules of the package that a module imports anywhere in its code."""
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        found = (name if name in MODULES else name.rpartition(".")[0] for name in names)
        yield from MODULES.keys() & set(found)


def package(module):
    return module.split(".")[1] if "." in module else module


def test_every_package_has_a_floor():
    assert {package(module) for module in MODULES} <= FLOOR_OF.keys()


def test_modules_import_from_lower_floors_and_their_own_package():
    upward = [
        f"{module} imports {imported}"
        for module in MODULES
        for imported in imports(module)
        if package(imported) != package(module)
        and FLOOR_OF[package(imported)] >= FLOOR_OF[package(module)]
    ]
    assert upward == []


def test_no_modules_import_each_other_in_a_circle():
    TopologicalSorter({module: set(imports(module)) for module in MODULES}).prepare()
