"""An RTSP camera on loopback: Motion JPEG of 128 x 96 pixels, white, ten frames a second.

GStreamer's server runs in the system's own Python, for which its bindings are packaged.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PYTHON = Path("/usr/bin/python3")
_IMPORTS = """
import gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer
Gst.init(None)
for element in ("videotestsrc", "jpegenc", "rtpjpegpay"):
    assert Gst.ElementFactory.find(element), element
"""
_SERVE = """
server = GstRtspServer.RTSPServer.new()
server.set_address("127.0.0.1")
server.set_service("0")
factory = GstRtspServer.RTSPMediaFactory.new()
factory.set_launch(
    "( videotestsrc is-live=true pattern=white"
    " ! video/x-raw,format=I420,width=128,height=96,framerate=10/1"
    " ! jpegenc ! rtpjpegpay name=pay0 )"
)
server.get_mount_points().add_factory("/line", factory)
server.attach(None)
print(server.get_bound_port(), flush=True)
GLib.MainLoop().run()
"""


def can_serve() -> bool:
    """Whether GStreamer's server is installed."""
    if not _PYTHON.exists():
        return False
    tried = subprocess.run([_PYTHON, "-c", _IMPORTS], capture_output=True, timeout=120)
    return tried.returncode == 0


@dataclass
class RtspCamera:
    """A running camera.

    Attributes:
        address: host, port and path of its stream.
    """

    address: str
    process: subprocess.Popen[str]

    def kill(self) -> None:
        """End it without a word to its clients."""
        self.process.kill()
        self.process.wait()


@contextmanager
def running_rtsp_camera() -> Iterator[RtspCamera]:
    """A camera on a free port of loopback, for as long as the block lasts."""
    command = [_PYTHON, "-c", _IMPORTS + _SERVE]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        try:
            port = int(process.stdout.readline())
            yield RtspCamera(f"127.0.0.1:{port}/line", process)
        finally:
            process.kill()
