"""`python -m moeclip_cli` and the `moeclip` command."""

from __future__ import annotations

import os

from moeclip_cli.cli.app import app


def main() -> None:
    """Run the command line."""
    # OpenCV would print about damaged files, each of which gets one sentence of ours.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    app(prog_name="moeclip")


if __name__ == "__main__":
    main()
