"""`moeclip serve` as a process, and what it refuses before it listens."""

from __future__ import annotations

import http.client
import json
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from support.server import SECONDS, form, png, reply

from moeclip_cli.errors import UsageError
from moeclip_cli.inspection.profile import Profile
from moeclip_cli.server.listening import listen

TOKEN = "correct-horse-battery"


def send(port, method, path, body=None, token=TOKEN, content_type="image/png"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": content_type}
    connection.request(method, path, body, headers)
    return reply(connection.getresponse())


def admitted(port):
    """Number of inspections that the server has in hand or has answered, refusals included."""
    metrics = send(port, "GET", "/metrics").content.decode()
    counts = re.findall(
        r'^moeclip_requests(?:_in_hand|_total{path="/inspect",.+}) (.+)$', metrics, re.M
    )
    return sum(map(float, counts))


@pytest.fixture
def profiles(inspector):
    """bolt.json and nut.json."""
    for name in ("bolt", "nut"):
        Profile(0.5, 0.1, 20, name, inspector.settings).write(Path(f"{name}.json"))


def test_a_service_from_its_start_to_its_end(start_moeclip, standin, profiles, moeclip, tmp_path):
    (tmp_path / "part.png").write_bytes(png())
    args = ["--profile", "bolt.json", "--profile", "nut.json", "--port", "0", "--batch-size", "1"]
    process = start_moeclip("serve", *args, *standin.options, env={"MOECLIP_TOKEN": TOKEN})
    line = process.stderr.readline()
    port = int(re.search(r"Listening on http://127.0.0.1:(\d+)\.", line)[1])
    assert send(port, "GET", "/health").status == 200
    assert "Ready for bolt (bolt), nut (nut); standin" in process.stderr.readline()
    assert send(port, "POST", "/inspect?profile=nut", png(), token="wrong").status == 401
    served = send(port, "POST", "/inspect?profile=nut", png()).json
    scored = moeclip(
        "score", "part.png", "--profile", "nut.json", "--json", "--quiet", *standin.options
    )
    assert served == json.loads(scored.stdout) | {"path": ""}

    found = []
    several, content_type = form({str(number): png() for number in range(3)})
    clients = [
        threading.Thread(
            target=lambda: found.append(
                send(
                    port, "POST", "/inspect?profile=bolt", several, content_type=content_type
                ).status
            )
        )
        for _ in range(20)
    ]
    for client in clients:
        client.start()
    while admitted(port) < 2 + len(clients):  # and the two before
        threading.Event().wait(0.01)
    process.send_signal(signal.SIGTERM)
    for client in clients:
        client.join(SECONDS)
    _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    assert found == [200] * 20
    assert errors == "Stopped; all requests that were accepted are answered.\n"


def test_a_server_stops_at_once_while_the_model_is_loaded(start_moeclip, standin):
    process = start_moeclip("serve", "--port", "0", *standin.options)
    assert "Listening" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(SECONDS) == 0


def test_a_profile_that_does_not_fit_ends_the_command(moeclip, standin, profiles):
    options = [*standin.options[:-4], "--image-size", "84"]
    result = moeclip("serve", "--port", "0", "--profile", "nut.json", *options)
    assert result.exit_code == 2, result.stderr
    assert "Listening on" in result.stderr
    assert "Error: The profile does not fit: its image size is 70" in result.stderr


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("--profile", "no.json"), 2, "Cannot read the profile no.json"),
        (("--profile", "nut.json", "--profile", "sub/nut.json"), 2, "Two profiles are called nut"),
        (
            ("--profile", "nut.json", "--profile", "bolt.json", "--threshold", "0.5"),
            2, "--threshold is for one product",
        ),
        (("--prompt", " "), 2, "--prompt is empty"),
        (("--token-file", "no.txt"), 2, "Cannot read the token file no.txt"),
        (("--token-file", "short.txt"), 2, "at least 16 ASCII characters"),
        (("--host", "203.0.113.1"), 2, "cannot listen on 203.0.113.1, port 8000"),
        (("--port", "{taken}"), 2, "address already in use. Choose others with --host and --port"),
        (("--model", "no.pth"), 4, "Model 'no.pth' not found"),
        (("--device", "gpu"), 2, "Unknown device 'gpu'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_before_the_model_is_loaded(
    moeclip, profiles, tmp_path, monkeypatch, args, code, said
):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "nut.json").write_bytes((tmp_path / "nut.json").read_bytes())
    (tmp_path / "short.txt").write_text("secret")
    monkeypatch.setattr("moeclip_cli.cli.serve._Loader.load", lambda loader: pytest.fail("loads"))
    with listen("127.0.0.1", 0) as taken:
        port = str(taken.getsockname()[1])
        result = moeclip("serve", *(arg.replace("{taken}", port) for arg in args))
    assert result.exit_code == code
    assert said in result.stderr


@pytest.mark.parametrize(
    ("token", "said"),
    [(None, "ANYONE in the network can send pictures"), (TOKEN, "HTTP is not encrypted")],
)
def test_listening_on_other_addresses_is_warned_about(moeclip, monkeypatch, token, said):
    def load(loader):
        raise UsageError("Here it ends.")

    monkeypatch.setattr("moeclip_cli.cli.serve._Loader.load", load)
    env = {} if token is None else {"MOECLIP_TOKEN": token}
    result = moeclip("serve", "--host", "0.0.0.0", "--port", "0", env=env)
    assert said in result.stderr
    assert "unknown" not in result.stderr
    assert result.exit_code == 2


def test_without_the_extra_the_command_names_it(tmp_path):
    code = (
        "import sys; sys.modules['starlette'] = None\n"
        "from moeclip_cli.cli.app import app\n"
        "app(['serve'], prog_name='moeclip')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    assert 'starlette is not installed; install it with: pip install "moeclip[server]"' in (
        done.stderr
    )


def test_help_imports_nothing_of_the_server():
    code = (
        "import sys\n"
        "from moeclip_cli.cli.app import app\n"
        "try:\n    app(['serve', '--help'], prog_name='moeclip')\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'starlette', 'uvicorn', 'prometheus_client', 'numpy'} & {*sys.modules}\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
