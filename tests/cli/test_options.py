"""Options have one source: fields, defaults and descriptions of the library's records."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path

import pytest
import typer
from typer.core import TyperOption

import moeclip_cli.cli
from moeclip_cli.cli.app import app
from moeclip_cli.cli.groups import field_help
from moeclip_cli.cli.models import convert
from moeclip_cli.cli.train import CONFIG
from moeclip_cli.model.config import PAPER_BACKBONE, PAPER_IMAGE_SIZE, NetworkConfig
from moeclip_cli.training.configuration import Augmentation, OutputOptions, TrainingConfig

CLI = Path(moeclip_cli.cli.__file__).parent
RECORDS = (TrainingConfig, NetworkConfig, Augmentation, OutputOptions)


def commands(group=None, path=""):
    """All commands by their names on the command line."""
    for name, command in (group or typer.main.get_command(app)).commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path}{name} ")
        else:
            yield path + name, command


COMMANDS = dict(commands())
OPTIONS = {one.name: one for one in COMMANDS["train"].params if isinstance(one, TyperOption)}


def plain_fields(record):
    return [each for each in fields(record) if not is_dataclass(each.default_factory)]


@pytest.mark.parametrize("record", RECORDS)
def test_every_field_is_an_option_of_training_with_its_default_and_help(record):
    texts = field_help(record)
    for each in plain_fields(record):
        option = OPTIONS[each.name]
        if each.name in CONFIG.without:
            continue
        if each.default is MISSING:
            assert option.required
        elif isinstance(each.default, tuple):
            assert option.default == ",".join(map(str, each.default))
        else:
            assert option.default == each.default, each.name
            assert type(option.default) is type(each.default)
        assert option.help == texts[each.name]


def test_conversion_has_the_defaults_and_help_of_the_network():
    texts = field_help(NetworkConfig)
    options = {one.name: one for one in COMMANDS["models convert"].params}
    for name in ("top_k", "mix", "aggregation", "quick_gelu", "image_size"):
        assert options[name].default == getattr(NetworkConfig, name)
        assert options[name].help == texts[name]


def literals(tree):
    """All constants in a module besides its docstrings."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and ast.get_docstring(node) is not None
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in docstrings:
            yield node.value


@pytest.mark.parametrize("module", sorted(CLI.glob("*.py")), ids=lambda path: path.stem)
def test_no_default_of_a_record_is_repeated(module):
    tree = ast.parse(module.read_text(encoding="utf-8"))
    for value in literals(tree):
        assert value != PAPER_IMAGE_SIZE
        assert PAPER_BACKBONE not in str(value)
    defaults = {each.name: each.default for record in RECORDS for each in plain_fields(record)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.value, ast.Constant):
            continue
        name, value = ast.unparse(node.target), node.value.value
        if value not in (None, True, False):
            assert defaults.get(name, MISSING) != value, name


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_takes_at_most_eight_records_and_options(name):
    command = inspect.unwrap(COMMANDS[name].callback)
    assert len(inspect.signature(command).parameters) <= 8


def test_a_command_function_keeps_its_documentation():
    assert convert.__name__ == "convert"
    assert "Example: moeclip models convert" in convert.__doc__


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "--data", "x", "--rank", "many"],
        ["score", "x.png", "--table", "csv"],
        ["benchmark", "mvtec", "--protocol", "papers"],
    ],
)
def test_parsing_does_not_import_torch(arguments):
    code = (
        "import sys\n"
        "from moeclip_cli.cli.app import app\n"
        "try:\n"
        "    app(sys.argv[1:], prog_name='moeclip')\n"
        "except SystemExit as end:\n"
        "    assert end.code == 2, end.code\n"
        "heavy = {'torch', 'open_clip', 'cv2', 'numpy', 'huggingface_hub'} & sys.modules.keys()\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
