from __future__ import annotations

import io
from contextlib import ExitStack

import pytest
from PIL import Image
from support.server import Held, LiveServer, png

from moeclip_cli.server.products import Product
from moeclip_cli.server.settings import Limits


@pytest.fixture
def picture():
    return png()


@pytest.fixture
def bomb():
    """A small file with 400 million pixels."""
    stream = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


@pytest.fixture
def live(inspector):
    """Start a server: live(queue=2, token="...") -> server."""
    with ExitStack() as stack:

        def start(*, token=None, products=None, **limits):
            products = products or {"part": Product("part", "part", inspector)}
            server = LiveServer(products, token, Limits(**limits))
            return stack.enter_context(server.running())

        yield start


@pytest.fixture
def held(inspector):
    """A product whose inspector waits until it may go on."""
    waiting = Held(inspector)
    yield waiting
    waiting.go_on.set()
