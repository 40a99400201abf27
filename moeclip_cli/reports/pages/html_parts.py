"""Shared parts of the HTML pages: start and end of the document, and escaped text."""

from __future__ import annotations

from html import escape
from importlib.resources import files

from moeclip_cli.reports.tables.control_characters import escape_controls

# The page makes no requests, whatever a file name or a prompt contains.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
_CONTROL_PICTURES = {code: 0x2400 + code for code in range(0x20)} | {0x7F: 0x2421}


def text(value: str) -> str:
    """`value` as escaped HTML, with visible control characters and text direction overrides."""
    return escape(escape_controls(value.translate(_CONTROL_PICTURES)))


def document_start(title: str, *styles: str) -> str:
    """The document up to its main content.

    Args:
        title: title and heading, as HTML.
        styles: names of style sheets in this package.
    """
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>\n{''.join(map(_resource, styles))}</style>\n</head>\n"
        f"<body>\n<header>\n<h1>{title}</h1>\n</header>\n<main>\n"
    )


def document_end(footer: str = "") -> str:
    """The document after its main content; `footer` is HTML."""
    return f"</main>\n{footer}<script>\n{_resource('report.js')}</script>\n</body>\n</html>\n"


def _resource(name: str) -> str:
    return files("moeclip_cli.reports.pages").joinpath(name).read_text(encoding="utf-8")
