"""Whatever clients do, they get an answer, and the server keeps nothing of it."""

from __future__ import annotations

import socket
import time

import numpy as np
import pytest
from support.raw_images import encode_png16
from support.server import SECONDS, answered, form, png

from moeclip_cli.server import protocol
from moeclip_cli.server.products import Product

HEAD = b"POST /inspect HTTP/1.1\r\nHost: x\r\n"


def wait_until(condition):
    """Wait for a condition, which a correct program meets soon."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def in_hand(server):
    found = server.service.in_hand
    return found.requests, found.pictures, found.bytes


def nothing_in_hand(server):
    wait_until(lambda: in_hand(server) == (0, 0, 0))
    return True


def test_a_body_above_the_limit_is_refused_by_its_declared_length(live, picture):
    server = live(max_bytes=len(picture))
    assert server.inspect(picture).status == 200
    assert "more than" in server.inspect(picture + b"x").problem(413)
    with server.connect() as connection:  # nothing of the body is sent
        connection.sendall(HEAD + b"Content-Length: 99999999999999999\r\n\r\n")
        assert "more than" in answered(connection).problem(413)
    assert nothing_in_hand(server)


def test_a_body_above_the_limit_is_refused_while_it_arrives(live, picture):
    server = live(max_bytes=1000)
    assert "more than 1,000 bytes" in server.inspect(iter([b"x" * 600] * 3)).problem(413)
    assert nothing_in_hand(server)


def test_all_bodies_together_have_a_limit(live):
    server = live(max_bytes=1000)
    connections = [server.connect() for _ in range(8)]
    for connection in connections:
        connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n" + b"x" * 990)
    wait_until(lambda: server.service.in_hand.bytes == 8 * 990)
    assert "Too many bodies" in server.inspect(b"x" * 200).problem(429)
    for connection in connections:
        connection.close()
    assert nothing_in_hand(server)
    assert server.inspect(b"x").status == 415


def test_a_decompression_bomb_is_refused_before_it_is_decoded(live, bomb):
    server = live()
    assert "20000 x 20000 = 400,000,000 pixels, more than" in server.inspect(bomb).problem(413)
    body, kind = form({"bomb.png": bomb, "good.png": png()})
    first, second = server.inspect(body, **{"Content-Type": kind}).json
    assert "more than the limit" in first["error"]
    assert second["error"] is None


def test_a_form_may_contain_as_many_pictures_as_can_wait(live):
    server = live(queue=2)
    body, kind = form({f"{number}.png": png(number) for number in range(3)})
    assert "2 pictures" in server.inspect(body, **{"Content-Type": kind}).problem(413)


def test_pictures_above_the_limit_of_the_queue_are_refused_at_once(live, held, picture):
    server = live(queue=3, products={"part": Product("part", "part", held)})
    waiting = [server.connect() for _ in range(3)]
    for connection in waiting:
        connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(picture) + picture)
    wait_until(lambda: server.service.in_hand.pictures == 3)
    refused = server.inspect(picture)
    assert "3 pictures are waiting" in refused.problem(429)
    assert refused.headers["retry-after"] == "1"
    held.go_on.set()
    for connection in waiting:
        assert answered(connection).status == 200
        connection.close()
    assert nothing_in_hand(server)
    assert server.inspect(picture).status == 200


def test_a_picture_that_decodes_for_too_long_is_refused_for_good(live, inspector, monkeypatch):
    monkeypatch.setattr(inspector, "decode_seconds", 0.01)
    refused = live().inspect(encode_png16(np.zeros((2000, 2000, 3), np.uint16)))
    assert "took longer than 0.01 seconds" in refused.problem(422)
    assert "retry-after" not in refused.headers


def test_an_inspection_that_takes_too_long_is_given_up(live, held, picture):
    server = live(seconds=0.2, products={"part": Product("part", "part", held)})
    assert "longer than 0.2 s" in server.inspect(picture).problem(503)
    assert nothing_in_hand(server)
    held.go_on.set()
    wait_until(lambda: server.inspect(picture).status == 200)


def test_a_client_that_has_gone_leaves_nothing(live, held, picture):
    server = live(products={"part": Product("part", "part", held)})
    for _ in range(5):
        with server.connect() as connection:
            connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(picture) + picture)
            wait_until(lambda: server.service.in_hand.pictures == 1)
        assert nothing_in_hand(server)
    assert server.metric("moeclip_requests_total") == 5  # with the status 499, seen by nobody


@pytest.mark.parametrize(
    "rest", [b"Content-Length: 500\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"]
)
def test_a_truncated_body_leaves_nothing(live, picture, rest):
    server = live()
    with server.connect() as connection:
        connection.sendall(HEAD + rest + b"5\r\nabc")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1000) == b""
    assert nothing_in_hand(server)
    assert server.inspect(picture).status == 200


def test_a_slow_body_is_given_up(live):
    server = live(seconds=0.3)
    with server.connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 500\r\n\r\n")
        connection.sendall(b"x")
        assert "longer than 0.3 s" in answered(connection).problem(408)
    assert nothing_in_hand(server)


def test_a_slow_head_ends_the_connection(live, monkeypatch):
    monkeypatch.setattr(protocol, "IDLE_SECONDS", 0.3)
    server = live()
    with server.connect() as connection:
        connection.sendall(b"POST /insp")
        assert ended(connection)
    with server.connect() as connection:  # the second request of a connection, too
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answered(connection).status == 200
        connection.sendall(b"G")
        assert ended(connection)


def test_the_rest_of_a_refused_body_is_not_awaited_for_long(live, monkeypatch):
    monkeypatch.setattr(protocol, "IDLE_SECONDS", 0.3)
    server = live()
    with server.connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 99999999999\r\n\r\n")
        answered(connection).problem(413)
        assert ended(connection)


def test_an_answer_that_is_not_read_ends_the_connection(live, monkeypatch):
    monkeypatch.setattr(protocol, "IDLE_SECONDS", 0.3)
    server = live()
    server.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    body = png(height=1000, width=1000)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((server.host, server.port))
        query = HEAD.replace(b"/inspect", b"/inspect?overlay=1")
        connection.sendall(query + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        wait_until(lambda: server.metric("moeclip_pictures_total") == 1)
        # The connection of the request for metrics itself ends soon.
        wait_until(lambda: len(server.server.server_state.connections) == 0)


def ended(connection):
    """Whether the server ends a connection without a further byte."""
    try:
        return connection.recv(1000) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"HELO\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET /health HTTP/1.1\r\n" + b"x: " + b"y" * 100_000,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_not_http_gets_a_problem_document(live, sent):
    server = live()
    with server.connect() as connection:
        connection.sendall(sent)
        assert "use a library" in answered(connection).problem(400)
    assert server.get("/health").status == 200


def test_connections_above_the_limit_are_refused(live, monkeypatch):
    monkeypatch.setattr("moeclip_cli.server.listening._MOST_CONNECTIONS", 2)
    server = live()
    connections = [server.connect() for _ in range(2)]
    wait_until(lambda: len(server.server.server_state.connections) == 2)
    with server.connect() as connection:
        assert "too many connections" in answered(connection).problem(503)
    for connection in connections:
        connection.close()
    wait_until(lambda: not server.server.server_state.connections)
    assert server.get("/health").status == 200
