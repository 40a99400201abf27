"""From loading to the end of the server."""

from __future__ import annotations

import threading

import pytest
from support.server import SECONDS, LiveServer, answered, png

from moeclip_cli.errors import UsageError
from moeclip_cli.server.listening import listen
from moeclip_cli.server.products import Product
from moeclip_cli.server.settings import Limits

HEAD = b"POST /inspect HTTP/1.1\r\nHost: x\r\n"


def test_a_server_that_stops_finishes_what_is_in_hand(held, picture):
    server = LiveServer({"part": Product("part", "part", held)}, None, Limits())
    with server.running():
        waiting = [server.connect() for _ in range(20)]
        for connection in waiting:
            connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(picture) + picture)
        while server.service.in_hand.pictures < 20:
            threading.Event().wait(0.01)
        server.server.stop()
        assert "is stopping" in server.get("/ready").problem(503)
        assert "is stopping" in server.inspect(png(1)).problem(503)
        assert server.get("/health").status == 200
        held.go_on.set()
        for connection in waiting:
            assert answered(connection).status == 200
            connection.close()
        server.thread.join(SECONDS)
        assert not server.thread.is_alive()
        with pytest.raises(ConnectionRefusedError):
            server.connect()


def test_a_server_is_not_ready_until_the_model_is_loaded(inspector, picture):
    server = LiveServer({}, None, Limits())
    loads = threading.Event()

    def load():
        assert loads.wait(SECONDS)
        return {"part": Product("part", "part", inspector)}

    server.service.names = ("part",)
    server.service.model._load = load
    server.thread.start()
    assert server.get("/health").status == 200
    assert "being loaded" in server.get("/ready").problem(503)
    assert "being loaded" in server.inspect(picture).problem(503)
    loads.set()
    assert server._ready.wait(SECONDS)
    assert server.get("/ready").status == 200
    assert server.inspect(picture).status == 200
    server.server.stop()
    server.thread.join(SECONDS)


def test_a_model_that_cannot_be_loaded_ends_the_server():
    server = LiveServer({}, None, Limits())

    def load():
        raise UsageError("The profile does not fit.")

    server.service.model._load = load
    with pytest.raises(UsageError, match="does not fit"):
        server.server.run_until_stopped()
    assert not server.service.model._thread.is_alive()


def test_a_port_in_use_is_named():
    taken = listen("127.0.0.1", 0)
    port = taken.getsockname()[1]
    with taken, pytest.raises(UsageError, match=f"port {port}: address already in use"):
        listen("127.0.0.1", port)
    with pytest.raises(UsageError, match="cannot listen on 203.0.113.1"):
        listen("203.0.113.1", 0)
