"""`python -m moeclip_cli` and the `moeclip` command."""

from __future__ import annotations

import os
import sys

from moeclip_cli.cli import signals, streams
from moeclip_cli.errors import Terminated
from moeclip_cli.exit_codes import ExitCode


def main() -> None:
    """Run the command line.

    Raises:
        SystemExit: always, with a code of the documentation's table of exit codes.
    """
    # Until an exception would be caught, a signal ends the process at once.
    signals.handle(signals.end_immediately)
    streams.prepare()
    # OpenCV would print about damaged files, each of which gets one sentence of ours.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    try:
        signals.handle()
        code = _run()
    except Terminated:
        code = ExitCode.TERMINATED
    except KeyboardInterrupt:  # again, while the first one was handled
        code = ExitCode.INTERRUPTED
    except BaseException:  # noqa: BLE001 - not even the sentence about an error fits into memory
        code = ExitCode.NOT_LOADED
    signals.handle(signals.end_immediately)
    sys.exit(code)


def _run() -> int:
    try:
        code = _run_command()
        sys.stdout.flush()
    except BaseException as error:  # noqa: BLE001 - before or after a command, or while it printed an error
        from moeclip_cli.cli.failures import failure_of

        failure = failure_of(error)
        if failure.message:
            sys.stderr.write(f"Error: {failure.message}\n")
        return failure.exit_code
    return code


def _run_command() -> int:
    # Imported here, where an error and Ctrl-C already have their exit codes.
    from moeclip_cli.cli.app import app

    try:
        app(prog_name="moeclip")
    except SystemExit as end:
        code = end.code
    # Typer has a 1 of its own, for example for shell completion in an unknown shell.
    if code == 1 and code is not ExitCode.ANOMALIES_FOUND:
        return ExitCode.USAGE
    return int(code or 0)


if __name__ == "__main__":
    main()
