"""`moeclip doctor`: what this machine can do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moeclip_cli.cli import console, options
from moeclip_cli.cli.settings import DEFAULT_FILE
from moeclip_cli.cli.tables import print_rows
from moeclip_cli.errors import ModelError

if TYPE_CHECKING:
    from moeclip_cli.doctor.finding import Finding


def doctor(
    device: options.Device = "auto",
    precision: options.PrecisionOption = options.Precision.auto,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    config: options.Config = None,
    debug: options.Debug = False,
) -> None:
    """Show what is installed, what this machine can do and which device is used.

    Scores a few images with the built-in model; the exit code is 4 if that fails. Put what this
    prints into a bug report.

    Example: moeclip doctor
    """
    findings = list(_examine(device, precision.value))
    problems = [finding.problem for finding in findings if finding.problem is not None]
    if as_json:
        content = {"found": {one.name: one.value for one in findings}, "problems": problems}
        print(json.dumps(content, ensure_ascii=False, indent=2))
    else:
        print_rows(("WHAT", "FOUND"), ((one.name, one.value) for one in findings))
    for problem in problems:
        console.warn(problem)
    if findings[-1].problem is not None:
        raise typer.Exit(ModelError.exit_code)


def _examine(device: str, precision: str) -> Iterator[Finding]:
    """Everything, the trial of the model last; a package that cannot be imported is that, too."""
    from moeclip_cli.doctor.finding import Finding
    from moeclip_cli.doctor.software import software

    yield from software()
    try:
        from moeclip_cli.doctor.hardware import hardware
        from moeclip_cli.doctor.places import places
        from moeclip_cli.doctor.trial import trial
    except (ImportError, OSError) as error:
        problem = f"A package cannot be imported ({error}): install moeclip into a new environment."
        yield Finding("built-in model", "does not work", problem)
        return
    yield from hardware()
    yield from places(Path(DEFAULT_FILE))
    yield trial(device, precision)
