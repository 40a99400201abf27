"""`python -m moeclip_cli` and the `moeclip` command."""

from __future__ import annotations

from moeclip_cli.cli.app import app


def main() -> None:
    """Run the command line."""
    app(prog_name="moeclip")


if __name__ == "__main__":
    main()
