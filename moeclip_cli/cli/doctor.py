"""`moeclip doctor`: what this machine can do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from moeclip_cli.cli import console, options
from moeclip_cli.cli.settings import DEFAULT_FILE
from moeclip_cli.cli.tables import print_rows
from moeclip_cli.errors import ModelError


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
    from moeclip_cli.doctor.examination import examine

    findings = list(examine(device, precision.value, Path(DEFAULT_FILE)))
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
