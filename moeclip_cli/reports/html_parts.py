"""What pages of results share: harmless text, and styles and scripts of their own."""

from __future__ import annotations

from html import escape
from importlib.resources import files

from moeclip_cli.reports.cells import readable

# No request leaves the page, whatever a file name or a prompt contains.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
_CONTROL_PICTURES = {code: 0x2400 + code for code in range(0x20)} | {0x7F: 0x2421}


def text(value: str) -> str:
    """`value` as harmless HTML; control characters become visible."""
    return escape(readable(value).translate(_CONTROL_PICTURES))


def resource(name: str) -> str:
    """A style or script of this package."""
    return files("moeclip_cli.reports").joinpath(name).read_text(encoding="utf-8")
