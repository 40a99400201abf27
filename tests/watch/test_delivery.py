"""Webhook and MQTT: every message arrives, signed, in order, also after failures and restarts."""

from __future__ import annotations

import base64
import getpass
import hashlib
import hmac
import json
import shutil
import socket
import subprocess
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from moeclip_cli.errors import UsageError
from moeclip_cli.watch.delivery import Delivery, DeliveryError
from moeclip_cli.watch.mqtt import Mqtt
from moeclip_cli.watch.outbox import Message, Outbox
from moeclip_cli.watch.webhook import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def wait_until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def server():
    """A server on this machine: `answers` are the codes of its next answers, then 204."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            code = server.answers.pop(0) if server.answers else 204
            server.requests.append((code, self.headers, body))
            self.send_response(code)
            if code == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.answers, server.requests = [], []
    server.url = f"http://127.0.0.1:{server.server_port}/hook?line=1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def deliver(tmp_path):
    """Start a delivery from the outbox of this test."""
    started = []

    def start(sender, say=lambda sentence: None):
        outbox = Outbox(tmp_path / "outbox")
        started.append(Delivery(sender, outbox, say, first_pause=0.02))
        return started[-1]

    yield start
    for delivery in started:
        delivery.close()


def test_a_webhook_that_fails_twice_gets_each_message_once_in_order(server, deliver):
    said = []
    server.answers += [500, 302]
    delivery = deliver(Webhook(server.url, SECRET), said.append)
    for number in range(3):
        delivery.add(number, Message(f"m{number}", json.dumps({"score": number})))
    wait_until(lambda: delivery.waiting == 0)
    codes = [code for code, _, _ in server.requests]
    assert codes == [500, 302, 204, 204, 204]
    assert [headers["webhook-id"] for _, headers, _ in server.requests] == [
        "m0", "m0", "m0", "m1", "m2",
    ]  # fmt: skip
    assert [json.loads(body)["score"] for _, _, body in server.requests[2:]] == [0, 1, 2]
    assert delivery.failures == 2
    wait_until(lambda: len(said) == 2)
    assert [sentence.split(";")[0] for sentence in said] == [
        "The webhook failed: HTTP 500 Internal Server Error",
        "The webhook takes messages again",
    ]


def test_the_signature_is_that_of_standard_webhooks(server):
    body = '{"path": "in/a.png"}'
    Webhook(server.url, SECRET).send(Message("msg_1", body))
    Webhook(server.url, "plain text").send(Message("msg_2", body))
    Webhook(server.url, None).send(Message("msg_3", body))
    keys = [base64.b64decode(SECRET.removeprefix("whsec_")), b"plain text"]
    for key, (_, headers, received) in zip(keys, server.requests, strict=False):
        assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body}".encode()
        digest = hmac.new(key, signed, hashlib.sha256).digest()
        assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
        assert received == body.encode()
        assert headers["Content-Type"] == "application/json"
    assert "webhook-signature" not in server.requests[2][1]


def test_a_refused_message_does_not_hold_up_the_next(server, deliver):
    said = []
    server.answers += [422]
    delivery = deliver(Webhook(server.url, None), said.append)
    delivery.add(0, Message("m0", "{}"))
    delivery.add(1, Message("m1", "{}"))
    wait_until(lambda: delivery.waiting == 0)
    assert delivery.refused == 1
    phrase = HTTPStatus.UNPROCESSABLE_ENTITY.phrase  # other words since Python 3.13
    assert said == [f"The webhook refused message m0: HTTP 422 {phrase}."]


def test_messages_wait_on_the_disk_for_the_next_start(server, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/"
    outbox = Outbox(tmp_path / "outbox")
    delivery = Delivery(Webhook(address, None), outbox, lambda sentence: None, first_pause=60)
    for number in (0, 1, 5):
        delivery.add(number, Message(f"m{number}", "{}"))
    wait_until(lambda: delivery.failures == 1)
    delivery.close()
    assert delivery.counts() == {
        "failed attempts of the webhook": 1,
        "messages refused by the webhook": 0,
        "messages of the webhook waiting for the next start": 3,
    }
    again = Delivery(Webhook(server.url, None), Outbox(tmp_path / "outbox"), lambda sentence: None)
    again.add(5, Message("m5", "{}"))
    again.close()
    assert [headers["webhook-id"] for _, headers, _ in server.requests] == ["m0", "m1", "m5"]
    assert list((tmp_path / "outbox").iterdir()) == []


def test_a_damaged_message_is_left_out(tmp_path):
    outbox = Outbox(tmp_path)
    outbox.add(1, Message("a", "{}"))
    outbox.add(2, Message("b", "{}"))
    (tmp_path / "000000000001.json").write_bytes(b"")
    assert outbox.first() == Message("b", "{}")
    assert len(outbox) == 1


@pytest.mark.parametrize(
    "url", ["ftp://host/x", "line.example/x", "http:///x", "http://user:word@host/", "http://[x/"]
)
def test_a_wrong_address_is_refused(url):
    with pytest.raises(UsageError, match="http or https address"):
        Webhook(url, None)


def test_a_wrong_secret_is_refused():
    with pytest.raises(UsageError, match="not Base64"):
        Webhook("http://host/", "whsec_?")


@pytest.mark.parametrize(
    "url", ["mqtt://host", "mqtt://host/", "http://host/topic", "mqtt:///topic", "mqtt://h/a/%23",
            "mqtt://host:port/topic"],
)  # fmt: skip
def test_a_wrong_broker_is_refused(url):
    with pytest.raises(UsageError, match="mqtt://HOST/TOPIC"):
        Mqtt(url)


@pytest.fixture
def broker(tmp_path):
    """A broker that knows one user and keeps messages: the function to start it, and its port."""
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        pytest.skip("requires mosquitto")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path / "broker"
    folder.mkdir()
    passwords, config = folder / "passwords", folder / "mosquitto.conf"
    subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "line", "a b/c"], check=True)
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {passwords}\n"
        f"persistence true\npersistence_location {folder}/\nuser {getpass.getuser()}\n"
    )
    processes = []

    def start():
        processes.append(subprocess.Popen([program, "-c", config], stderr=subprocess.DEVNULL))
        wait_until(lambda: _answers(port))
        return processes[-1]

    yield start, port
    for process in processes:
        process.kill()
        process.wait()


def _answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _subscriber(port, received):
    """Connect a client for whom the broker keeps messages; return it once it has subscribed."""
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion

    ready = threading.Event()
    client = Client(CallbackAPIVersion.VERSION2, "subscriber", clean_session=False)
    client.username_pw_set("line", "a b/c")
    client.on_message = lambda client, data, message: received.append(
        (message.topic, json.loads(message.payload))
    )
    client.on_connect = lambda client, *rest: client.subscribe("factory/#", qos=1)
    client.on_subscribe = lambda *rest: ready.set()
    client.connect("127.0.0.1", port)
    client.loop_start()
    assert ready.wait(30)
    return client


def _end(client):
    client.disconnect()
    client.loop_stop()


def test_a_broker_gets_each_message_also_after_it_was_away(broker, deliver):
    start, port = broker
    received = []
    process = start()
    _end(_subscriber(port, received))
    delivery = deliver(Mqtt(f"mqtt://line:a%20b%2Fc@127.0.0.1:{port}/factory/line%201"))
    delivery.add(0, Message("m0", '{"n": 0}'))
    wait_until(lambda: delivery.waiting == 0)
    process.terminate()
    process.wait()
    delivery.add(1, Message("m1", '{"n": 1}'))
    wait_until(lambda: delivery.failures)
    start()
    delivery.add(2, Message("m2", '{"n": 2}'))
    wait_until(lambda: delivery.waiting == 0)
    client = _subscriber(port, received)
    wait_until(lambda: len(received) == 3)
    assert received == [("factory/line 1", {"n": number}) for number in range(3)]
    _end(client)


def test_a_broker_that_takes_no_one_is_a_failure(broker):
    start, port = broker
    start()
    with pytest.raises(DeliveryError, match="Not authorized"):
        Mqtt(f"mqtt://other:x@127.0.0.1:{port}/topic").send(Message("m", "{}"))
