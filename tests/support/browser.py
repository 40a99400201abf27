"""Pages in a real browser, without a window."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

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


def _chromium(folder: Path, *options: str) -> str:
    assert CHROMIUM is not None
    profile = f"--user-data-dir={folder / 'profile'}"
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", profile, *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
