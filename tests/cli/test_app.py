from __future__ import annotations

import subprocess
import sys

import pytest

from moeclip_cli import __version__

COMMANDS = [
    "score",
    "heatmap",
    "calibrate",
    "train",
    "benchmark",
    "models",
    "models list",
    "models show",
    "models pull",
    "models convert",
    "datasets",
    "datasets list",
    "datasets check",
    "datasets synthesize",
    "doctor",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(moeclip, command):
    result = moeclip(*command.split(), "--help")
    assert result.exit_code == 0
    assert f"moeclip {command}" in result.stdout.partition("Example")[2]


def test_help_does_not_import_torch():
    """It answers at once because nothing heavy is imported before a command runs."""
    code = (
        "import sys\n"
        "from moeclip_cli.cli.app import app\n"
        "app(['--help'], standalone_mode=False)\n"
        "heavy = {'torch', 'open_clip', 'cv2', 'numpy', 'huggingface_hub'} & sys.modules.keys()\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_version(moeclip):
    assert moeclip("--version").stdout == f"moeclip {__version__}\n"


def test_module_runs_as_a_command():
    command = [sys.executable, "-m", "moeclip_cli", "--version"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout == f"moeclip {__version__}\n"


def test_errors_are_a_sentence_unless_debugging(moeclip):
    plain = moeclip("score", "nowhere")
    assert plain.exit_code == 2
    assert "Traceback" not in plain.stderr
    debugging = moeclip("score", "nowhere", "--debug")
    assert debugging.exception is not None


def test_unexpected_errors_are_reported_as_bugs(moeclip, monkeypatch):
    def broken(*args, **kwargs):
        raise KeyError("lost")

    monkeypatch.setattr("moeclip_cli.cli.inputs.open_source", broken)
    result = moeclip("score", "x.png")
    assert result.exit_code == 70
    assert "KeyError" in result.stderr
    assert "--debug" in result.stderr


def test_a_reader_that_has_seen_enough_is_no_error_message(standin, parts):
    command = [sys.executable, "-m", "moeclip_cli", "score", "parts", "--json", *standin.options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    errors = process.stderr.read()
    assert process.wait() == 141
    assert "Traceback" not in errors
    assert "Broken pipe" not in errors
