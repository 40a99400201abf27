from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from moeclip_cli import __version__
from moeclip_cli.errors import Terminated

COMMANDS = [
    "score",
    "heatmap",
    "calibrate",
    "train",
    "benchmark",
    "review",
    "verify",
    "models",
    "models list",
    "models show",
    "models pull",
    "models convert",
    "export",
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
    example = " ".join(result.stdout.partition("Example")[2].split())
    assert f"moeclip {command}" in example


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
    assert debugging.exit_code == 2
    assert "Traceback" in debugging.stderr


@pytest.fixture
def failing(moeclip, monkeypatch):
    """Run a command in which an exception is raised: failing(exception) -> result."""

    def run(error, *args):
        def broken(*args, **kwargs):
            raise error

        monkeypatch.setattr("moeclip_cli.cli.image_options.ImageOptions.find", broken)
        return moeclip("score", "x.png", *args)

    return run


class OddError(Exception):
    """An exception of a kind that nothing expects."""


@pytest.mark.parametrize(
    "error", [KeyError("lost"), RecursionError("too deep"), OddError("x" * 10_000), EOFError()]
)
def test_unexpected_errors_are_reported_as_bugs(failing, error):
    result = failing(error)
    assert result.exit_code == 70
    assert type(error).__name__ in result.stderr
    assert "--debug" in result.stderr
    assert len(result.stderr) < 500
    debugging = failing(error, "--debug")
    assert debugging.exit_code == 70
    assert "Traceback" in debugging.stderr


def test_exhausted_memory_is_not_a_bug(failing):
    result = failing(MemoryError())
    assert result.exit_code == 4
    assert result.stderr.startswith("Error: Not enough memory (MemoryError). ")


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.EACCES, "Check the permissions"),
        (errno.ENAMETOOLONG, "Use a shorter path"),
        (errno.ENOSPC, "Free some space"),
    ],
)
def test_errors_of_the_system_are_not_bugs(failing, number, remedy):
    result = failing(OSError(number, os.strerror(number), "some/path"))
    assert result.exit_code == 2
    assert result.stderr.startswith(f"Error: {os.strerror(number)}: some/path. {remedy}")


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (Terminated(), 143)])
def test_interruptions_have_their_codes(failing, error, code):
    assert failing(error).exit_code == code


def test_a_reader_that_has_seen_enough_is_no_error_message(standin, parts):
    command = [sys.executable, "-m", "moeclip_cli", "score", "parts", "--json", *standin.options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    errors = process.stderr.read()
    assert process.wait() == 141
    assert "Traceback" not in errors
    assert "Broken pipe" not in errors
