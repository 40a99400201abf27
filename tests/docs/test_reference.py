"""The hand-written parts of the documentation agree with the code."""

from __future__ import annotations

import re
from pathlib import Path

from support.floors import FLOORS

import moeclip_cli
from moeclip_cli import errors
from moeclip_cli.discovery.extensions import EXTENSIONS, OTHER_EXTENSIONS
from moeclip_cli.exit_codes import ExitCode
from moeclip_cli.inspection.result import COLUMNS, SCHEMA, Region, Result

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PACKAGE = ROOT / "moeclip_cli"
CONCEPTS = [f"concepts/{name}.md" for name in ("architecture", "method", "differences")]


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def first_cells(text: str) -> list[str]:
    """The first cell of every table row."""
    return re.findall(r"^\| (.+?) \|", text, flags=re.MULTILINE)


def test_the_columns_of_results_are_documented_in_order():
    table = page("reference/results.md").partition("## CSV")[0]
    assert [cell.strip("`") for cell in first_cells(table) if cell.startswith("`")] == [*COLUMNS]


def test_every_exit_code_of_an_error_is_documented():
    documented = {
        int(cell) for cell in first_cells(page("reference/exit-codes.md")) if cell.isdigit()
    }
    assert {int(code) for code in ExitCode} == documented


def test_the_image_extensions_are_documented():
    listed = re.findall(r"`(\.\w+)`", page("reference/images.md"))
    assert set(listed) == {*EXTENSIONS, *OTHER_EXTENSIONS}


def test_every_public_name_is_documented():
    text = page("reference/python.md")
    for name in set(moeclip_cli.__all__) - {"__version__"}:
        assert re.search(rf":: {name}$", text, flags=re.MULTILINE), name


def test_public_names_exist_and_every_error_is_one():
    kinds = {name: one for name, one in vars(errors).items() if isinstance(one, type)}
    raised = {name for name, one in kinds.items() if issubclass(one, errors.MoeclipError)}
    assert raised - {"OutputClosedError"} <= set(moeclip_cli.__all__)  # of the command line
    for name in moeclip_cli.__all__:
        assert getattr(moeclip_cli, name) is not None
    assert dir(moeclip_cli) == sorted(moeclip_cli.__all__)


def test_files_that_the_concepts_name_exist():
    named = re.findall(r"[\w/-]+/[\w-]+\.py\b", "".join(map(page, CONCEPTS)))
    assert len(named) > 20
    for path in named:
        assert (ROOT / path).is_file() or (PACKAGE / path).is_file(), path


def test_names_beside_the_paper_s_figure_are_in_those_files():
    rows = re.findall(r"^\| .+? \| `(\S+\.py)` \| (.+) \|$", page(CONCEPTS[1]), flags=re.MULTILINE)
    assert len(rows) > 10
    for path, names in rows:
        source = (PACKAGE / path).read_text(encoding="utf-8")
        for name in re.findall(r"`(\w+)`", names):
            assert re.search(rf"\b{name}\b", source), f"{path}: {name}"


def test_the_documented_floors_are_those_that_the_tests_hold():
    rows = re.findall(r"^\| (\d+) \| (.+?) \|", page(CONCEPTS[0]), flags=re.MULTILINE)
    documented = [set(re.findall(r"`(\w+)`", packages)) for _, packages in reversed(rows)]
    assert documented == [*FLOORS[:-1]]


def test_every_field_of_the_json_output_is_documented():
    region = Region(0, 0, 1, 1, 0.5, 0.9)
    result = Result("a.png", "bolt", "m", score=0.9, regions=(region,))
    text = page("reference/results.md")
    for name in (*result.to_dict(), *vars(region)):
        assert f"`{name}`" in text, name
    assert f"version of the fields, {SCHEMA};" in text
