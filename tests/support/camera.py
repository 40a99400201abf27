"""An IP camera on loopback: Motion JPEG over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO

from PIL import Image


@dataclass
class Camera:
    """What the camera sends.

    Attributes:
        url: its address.
        frames: number of frames before it ends the stream; frame n (from 1) has the grey value n.
        seconds: between two frames.
        sent: number of frames sent so far.
    """

    url: str = ""
    frames: int = 10
    seconds: float = 0.1
    sent: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)


@contextmanager
def running_camera() -> Iterator[Camera]:
    """A camera on a free port of loopback, for as long as the block lasts."""
    camera = Camera()
    handler = type("Handler", (_Handler,), {"camera": camera})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        camera.url = f"http://127.0.0.1:{server.server_port}/video.mjpg"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield camera
        finally:
            camera.stopped.set()
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    camera: Camera

    def do_GET(self) -> None:
        camera = self.camera
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        try:
            while camera.sent < camera.frames and not camera.stopped.is_set():
                self.wfile.write(_part(camera.sent + 1))
                camera.sent += 1
                camera.stopped.wait(camera.seconds)
        except OSError:
            pass  # the client has gone

    def log_message(self, *args: object) -> None:
        pass


def _part(number: int) -> bytes:
    stream = BytesIO()
    Image.new("RGB", (96, 64), (number % 256,) * 3).save(stream, "jpeg", quality=95)
    data = stream.getvalue()
    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
    return head.encode() + data + b"\r\n"
