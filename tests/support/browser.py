"""Pages in a real browser, without a window."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


def page_after(page: Path, script: str, folder: Path) -> str:
    """The page as HTML after a script has run in it."""
    # The page's own rule allows no script but its own.
    source = re.sub(
        r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text("utf-8")
    )
    changed = folder / "changed.html"
    changed.write_text(source.replace("</body>", f"<script>{script}</script></body>"), "utf-8")
    return _chromium(folder, "--dump-dom", changed.as_uri())


def printed(page: Path, folder: Path) -> Path:
    """The page as a PDF."""
    pdf = folder / "printed.pdf"
    _chromium(folder, f"--print-to-pdf={pdf}", "--no-pdf-header-footer", page.as_uri())
    return pdf


class Page:
    """A page that is steered through Chromium's protocol for developers, by two pipes."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers = commands, os.fdopen(answers, "rb")
        self._number, self._session, self._rest = 0, None, b""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = session["sessionId"]
        self.call("Page.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of a command; events on the way are passed over."""
        self._number += 1
        command = {"id": self._number, "method": method, "params": params}
        if self._session is not None:
            command["sessionId"] = self._session
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            part = self._answers.read1()
            assert part, "Chromium has ended"
            self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def open(self, url: str) -> None:
        """Go to an address; again, to reload it."""
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete'")

    def run(self, script: str) -> Any:
        """The value of an expression, or of what it promises."""
        found = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait(self, condition: str, seconds: float = 60) -> Any:
        """The value of an expression once it is true."""
        end = time.monotonic() + seconds
        while not (found := self.run(condition)):
            assert time.monotonic() < end, condition
            time.sleep(0.02)
        return found

    def press(self, key: str, *, control: bool = False) -> None:
        """Press and release a key, such as "g" or "ArrowDown"."""
        text = {"text": key} if len(key) == 1 and not control else {}
        modifiers = 2 if control else 0
        for kind in ("keyDown", "keyUp"):
            more = text if kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, modifiers=modifiers, **more)

    def resize(self, width: int, height: int, *, dark: bool = False) -> None:
        """The size of the window in pixels, and the colours that the user prefers."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self, path: Path) -> None:
        """Write what the window shows as a PNG."""
        shot = self.call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def browsing(folder: Path) -> Iterator[Page]:
    """A page in a browser of its own, whose profile is in a folder."""
    command_end, commands = os.pipe()
    answers, answer_end = os.pipe()
    # Chromium reads commands from descriptor 3 and writes answers to 4.
    script = f'exec "$@" 3<&{command_end} 4>&{answer_end}'
    options = ["--remote-debugging-pipe", "--window-size=1280,800"]
    process = subprocess.Popen(
        ["bash", "-c", script, "chromium", *_command(folder, *options)],
        pass_fds=(command_end, answer_end), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(command_end)
    os.close(answer_end)
    try:
        page = Page(commands, answers)
        page.resize(1280, 800)
        yield page
    finally:
        process.kill()
        process.wait()
        os.close(commands)


def _command(folder: Path, *options: str) -> list[str]:
    assert CHROMIUM is not None
    profile = f"--user-data-dir={folder / 'profile'}"
    return [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", profile, *options]


def _chromium(folder: Path, *options: str) -> str:
    command = _command(folder, *options)
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
