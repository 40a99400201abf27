"""The command that is run for each picture."""

from __future__ import annotations

import json
import os
import shlex
import sys
import time

import pytest

from moeclip_cli.errors import UsageError
from moeclip_cli.watch.hook import Hook

EVENT = {
    "path": "in/a b;$x.png",
    "verdict": "anomalous",
    "score": 0.75,
    "id": "7",
    "moved_to": None,
}


def python(code, *arguments):
    return shlex.join([sys.executable, "-c", code, *arguments])


def test_arguments_and_input_without_a_shell(tmp_path):
    code = "import sys, json; json.dump([sys.argv[1:], json.load(sys.stdin)], open('seen', 'w'))"
    hook = Hook(python(code, "{path}", "v={verdict}", "{score}", "{id}"), 20)
    assert hook.run(EVENT) is None
    arguments, given = json.loads((tmp_path / "seen").read_text())
    assert arguments == ["in/a b;$x.png", "v=anomalous", "0.750000", "7"]
    assert given == EVENT
    unreadable = EVENT | {"verdict": None, "score": None, "moved_to": "out/unreadable/a.png"}
    assert hook.run(unreadable) is None
    arguments, _ = json.loads((tmp_path / "seen").read_text())
    assert arguments == ["out/unreadable/a.png", "v=unreadable", "", "7"]


def test_a_failure_is_told():
    assert Hook(python("raise SystemExit(3)"), 20).run(EVENT) == "ended with code 3"


def test_input_that_is_not_read_is_no_failure():
    assert Hook("true", 20).run(EVENT | {"prompt": "x" * 1_000_000}) is None


def test_a_slow_command_is_stopped_with_its_children(tmp_path):
    hook = Hook("sh -c 'sleep 30; touch late'", 0.3)
    started = time.monotonic()
    assert hook.run(EVENT) == "was stopped after 0.3 s"
    assert time.monotonic() - started < 15


def test_a_program_that_has_gone_is_told(tmp_path):
    program = tmp_path / "eject"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    hook = Hook(f"{shlex.quote(os.fspath(program))} {{path}}", 20)
    program.unlink()
    assert hook.run(EVENT) == "cannot be started: No such file or directory"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("no-such-program {path}", "'no-such-program' of `hook` was not found"),
        ("", "'' of `hook` was not found"),
        ("true {file}", "unknown placeholder {file}; use {path}"),
        ("true 'open", "cannot be split into words"),
    ],
)
def test_a_wrong_command_is_refused(command, message):
    with pytest.raises(UsageError, match=message):
        Hook(command, 1)
