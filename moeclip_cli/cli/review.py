"""`moeclip review`: a local page to look at a run's images and label them."""

from __future__ import annotations

import os
import sys
import threading
import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from moeclip_cli.choices import Language
from moeclip_cli.cli import console, options
from moeclip_cli.cli.failures import failure_of
from moeclip_cli.cli.groups import grouped
from moeclip_cli.cli.parameters import with_options
from moeclip_cli.extras import require_extra

_EXTRA = "server"
_PACKAGES = ("starlette", "uvicorn")


@dataclass(frozen=True)
class PageOptions:
    """The page.

    Attributes:
        port: port of 127.0.0.1 to listen on.
        open_: open the page in the browser.
        language: language of the page, en or de. Default: that of the report, or en.
    """

    port: Annotated[int, typer.Option(min=0, max=65535, show_default="any free one")] = 0
    open_: Annotated[bool, typer.Option("--open/--no-open")] = True
    language: Annotated[Language | None, typer.Option(show_default=False)] = None


@grouped
def review(
    folder: Annotated[
        Path, typer.Argument(metavar="OUT", help="Output folder of `moeclip score`.")
    ],
    page: PageOptions,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print errors and the address only.")
    ] = False,
    debug: options.Debug = False,
) -> None:
    """Look at the images of a run on a local page: sort, enlarge, try thresholds, label.

    The run may be finished or go on. Labels are written to OUT/labels.csv. Images labelled good can
    become the references of a profile. Ctrl-C ends the page.

    Exit codes: 0 stopped, 2 usage error, 130 interrupted twice.

    Example: moeclip review moeclip-out
    """
    for package in _PACKAGES:
        require_extra(package, _EXTRA)

    from moeclip_cli.review.serving import serve_review

    def listening(address: str) -> None:
        print(address, flush=True)
        if not quiet:
            console.note(f"The page is open until Ctrl-C; labels go to {folder / 'labels.csv'}.")
        if page.open_ and _has_window():  # a browser may take its time
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

    serve_review(
        folder,
        port=page.port,
        language=page.language,
        explain=lambda error: with_options(failure_of(error).message),
        listening=listening,
    )
    if not quiet:
        console.note("Stopped.")


def _has_window() -> bool:
    """Whether a browser has a window to open; one in the terminal would cover what is there."""
    wanted = ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")
    return sys.platform != "linux" or any(os.environ.get(name) for name in wanted)
