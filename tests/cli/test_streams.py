"""Standard streams of a real process: missing, full, closed by the reader, narrow in encoding."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="requires a POSIX shell")

MODULE = [sys.executable, "-m", "moeclip_cli"]


@pytest.fixture
def shell():
    """Run a command with redirections in a shell: shell(["--version"], ">&-") -> process."""

    def run(args, redirections="", **env):
        command = ["sh", "-c", f'"$@" {redirections}', "sh", *MODULE, *args]
        return subprocess.run(
            command, env=os.environ | env, capture_output=True, text=True, timeout=100
        )

    return run


@pytest.mark.parametrize("redirections", ["<&-", "2>&-", ">&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(("command", "code"), [(["models", "list"], 0), (["models", "xyz"], 2)])
def test_missing_streams_do_not_change_the_exit_code(shell, command, code, redirections):
    done = shell(command, redirections)
    assert done.returncode == code
    assert "Traceback" not in done.stderr


def test_missing_input_is_an_empty_list_of_paths(shell):
    done = shell(["score", "-"], "<&-")
    assert done.returncode == 2
    assert "Standard input contains no paths" in done.stderr


full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="requires /dev/full")


@full
@pytest.mark.parametrize("args", [["models", "list"], ["--version"], ["--help"]])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_full_output_is_one_sentence(shell, args, unbuffered):
    done = shell(args, ">/dev/full", PYTHONUNBUFFERED=unbuffered)
    assert done.returncode == 2
    assert done.stderr.startswith("Error: Cannot write to standard output: no space left on device")
    assert done.stderr.count("\n") == 1


@full
@pytest.mark.parametrize(("args", "code"), [(["models", "list"], 0), (["models", "xyz"], 2)])
def test_a_full_error_stream_does_not_change_the_exit_code(shell, args, code):
    assert shell(args, "2>/dev/full").returncode == code


@full
def test_full_streams_together(shell):
    assert shell(["models", "list"], ">/dev/full 2>/dev/full").returncode == 2


@pytest.mark.parametrize("args", [["models", "list"], ["--version"], ["--help"]])
def test_a_closed_pipe_has_its_own_code_and_no_message(args):
    process = subprocess.Popen(
        [*MODULE, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 141


@pytest.mark.parametrize("encoding", ["ascii:strict", "cp1252:strict", "utf-8:strict"])
def test_names_are_escaped_where_the_encoding_lacks_their_characters(encoding):
    name = "\u6f22\u5b57"
    done = subprocess.run(
        [*MODULE, "datasets", "check", name],
        env=os.environ | {"PYTHONIOENCODING": encoding},
        capture_output=True,
    )
    assert done.returncode == 4
    kept = encoding.startswith("utf")
    shown = name.encode() if kept else name.encode("ascii", "backslashreplace")
    assert shown in done.stderr


@pytest.mark.parametrize("megabytes", [22, 30, 45, 100])
def test_too_little_memory_has_another_code_than_an_anomaly(shell, megabytes):
    resource = pytest.importorskip("resource")
    done = subprocess.run(
        [*MODULE, "models", "list"],
        preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_AS, (megabytes * 1_000_000, megabytes * 1_000_000)
        ),
        capture_output=True,
        text=True,
    )
    assert done.returncode in (0, 4)
    if done.returncode == 4 and megabytes > 30:  # below, the sentence itself may not fit
        assert "Error: Not enough memory (" in done.stderr


def test_a_shell_that_completion_does_not_know_is_no_anomaly(shell):
    assert shell([], _MOECLIP_COMPLETE="complete_unknown").returncode == 2


def test_the_console_script_is_the_same_program():
    script = Path(sys.executable).with_name("moeclip")
    if not script.exists():
        pytest.skip("requires an installed package")
    done = subprocess.run([str(script), "models", "list"], capture_output=True, text=True)
    assert done.returncode == 0
    assert (
        done.stdout
        == subprocess.run([*MODULE, "models", "list"], capture_output=True, text=True).stdout
    )
