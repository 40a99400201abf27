"""`moeclip review` as a process, and what it refuses before it listens."""

from __future__ import annotations

import http.client
import json
import re
import signal
import subprocess
import sys
import threading

import pytest
from support.review import GrowingRun
from support.server import SECONDS, reply

from moeclip_cli.review.labels import LabelJournal
from moeclip_cli.runs.run_card import RunCard
from moeclip_cli.server.listening import listen


@pytest.fixture
def growing(tmp_path):
    run = GrowingRun(tmp_path / "out")
    run.add(("1.png", 0.9), ("2.png", 0.2))
    return run


def start(start_moeclip, *options, **env):
    """The process and the address of the page: its port and its path."""
    process = start_moeclip("review", "out", *options, env=env)
    found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)(/[\w-]{32}/)\n", process.stdout.readline())
    return process, int(found[1]), found[2]


def label(port, path, image):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    connection.request("POST", f"{path}label", json.dumps({"image": image, "label": "bad"}))
    return reply(connection.getresponse()).status


@pytest.fixture
def browser(tmp_path):
    """A browser that notes the address: the value of BROWSER, and the note."""
    program, note = tmp_path / "browser", tmp_path / "opened"
    program.write_text(f'#!/bin/sh\nprintf %s "$1" > {note}.part && mv {note}.part {note}\n')
    program.chmod(0o755)
    return f"{program} %s", note


def test_a_killed_server_has_kept_every_label_and_ctrl_c_ends_it(start_moeclip, growing, browser):
    opens, note = browser
    process, port, path = start(start_moeclip, BROWSER=opens)
    while not note.exists():
        threading.Event().wait(0.02)
    assert note.read_text() == f"http://127.0.0.1:{port}{path}"
    note.unlink()
    assert label(port, path, 0) == 200
    process.kill()
    process.wait(SECONDS)
    process, port, again = start(start_moeclip, "--quiet", "--no-open", BROWSER=opens)
    assert again != path
    assert label(port, again, 1) == 200
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=SECONDS) == ("", "")
    assert process.returncode == 0
    assert not note.exists()
    with LabelJournal(growing.folder) as journal:
        assert [journal.label(name) for name in ("1.png", "2.png")] == ["bad", "bad"]


@pytest.mark.parametrize(
    ("out", "options", "said"),
    [
        ("nowhere", (), "nowhere was not found; name the output folder"),
        ("other", (), "other contains results of another command"),
        ("begun", (), "begun has no results yet"),
        ("out", ("--port", "{taken}"), "address already in use. Choose another --port"),
        ("out", ("--port", "70000"), "--port"),
    ],
)
def test_what_is_wrong_is_said_before_it_listens(moeclip, growing, tmp_path, out, options, said):
    RunCard(tmp_path / "other", {"protocol": "transfer"}, {})
    GrowingRun(tmp_path / "begun")
    with listen("127.0.0.1", 0) as taken:
        port = str(taken.getsockname()[1])
        given = [option.replace("{taken}", port) for option in options]
        result = moeclip("review", out, "--no-open", *given)
    assert result.exit_code == 2, result.stderr
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_a_second_review_of_a_folder_is_refused(moeclip, growing):
    with LabelJournal(growing.folder):
        result = moeclip("review", "out", "--no-open")
    assert result.exit_code == 2
    assert "labels.csv; wait for it, or choose another OUT" in result.stderr


def test_without_the_extra_the_install_line_is_shown(moeclip, growing, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    result = moeclip("review", "out")
    assert result.exit_code == 2
    assert 'pip install "moeclip[server]"' in result.stderr


def test_the_page_needs_no_model():
    code = (
        "import sys, moeclip_cli.review.serving; "
        "sys.exit('torch' in sys.modules or 'prometheus_client' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
