"""Shared parts of the HTML pages: start and end of the document, and escaped text."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from importlib.resources import files

from moeclip_cli.reports.tables.control_characters import escape_controls

_CONTROL_PICTURES = {code: 0x2400 + code for code in range(0x20)} | {0x7F: 0x2421}


def text(value: str) -> str:
    """`value` as escaped HTML, with visible control characters and text direction overrides."""
    return escape(escape_controls(value.translate(_CONTROL_PICTURES)))


def jpeg_url(content: bytes) -> str:
    """The URL of a JPEG that is part of the page."""
    return f"data:image/jpeg;base64,{b64encode(content).decode()}"


@dataclass(frozen=True)
class Document:
    """The frame of a page: one file that makes no requests, unless it is served.

    Its content security policy allows pictures in the page, and the style and the script that are
    written here. Whatever a file name or a prompt contains, it cannot run.

    Attributes:
        title: title and heading, as HTML.
        styles: names of style sheets in this package.
        scripts: names of scripts in this package.
        css: further rules.
        language: of the text, such as "en".
        script: further script.
        served: whether the page may also ask the server that it comes from.
    """

    title: str
    styles: tuple[str, ...] = ("report.css",)
    scripts: tuple[str, ...] = ("report.js",)
    css: str = ""
    language: str = "en"
    script: str = ""
    served: bool = False

    @property
    def policy(self) -> str:
        """The content security policy."""
        own, asked = (" 'self'", " connect-src 'self';") if self.served else ("", "")
        return (
            f"default-src 'none'; img-src data:{own};{asked} style-src {_source(self._style())}; "
            f"script-src {_source(self._script())}; base-uri 'none'; form-action 'none'"
        )

    def start(self) -> str:
        """The document up to its main content."""
        style, policy = self._style(), self.policy
        return (
            f'<!doctype html>\n<html lang="{self.language}">\n<head>\n<meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{self.title}</title>\n<style>{style}</style>\n</head>\n"
            f"<body>\n<header>\n<h1>{self.title}</h1>\n</header>\n<main>\n"
        )

    def end(self, footer: str = "") -> str:
        """The document after its main content; `footer` is HTML."""
        return f"</main>\n{footer}<script>{self._script()}</script>\n</body>\n</html>\n"

    def _style(self) -> str:
        return f"\n{''.join(map(_resource, self.styles))}{self.css}"

    def _script(self) -> str:
        return f"\n{''.join(map(_resource, self.scripts))}{self.script}"


def _source(content: str) -> str:
    """The expression of a policy that allows exactly this inline style or script."""
    return f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'"


def _resource(name: str) -> str:
    return files("moeclip_cli.reports.pages").joinpath(name).read_text(encoding="utf-8")
