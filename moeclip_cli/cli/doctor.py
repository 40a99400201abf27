"""`moeclip doctor`: check the installation and this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from moeclip_cli.cli import console, options
from moeclip_cli.cli.groups import grouped
from moeclip_cli.cli.settings import DEFAULT_FILE
from moeclip_cli.cli.tables import print_rows
from moeclip_cli.exit_codes import ExitCode


@grouped
def doctor(
    device: options.DeviceOptions,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    config: options.Config = None,
    debug: options.Debug = False,
) -> None:
    """Show versions, hardware and the selected device, and test the built-in model.

    Paste the output into bug reports.

    Exit codes: 0 done, 4 the built-in model cannot score images.

    Example: moeclip doctor
    """
    from moeclip_cli.doctor.checks import run_checks

    findings = list(run_checks(device.device, device.precision, Path(DEFAULT_FILE)))
    problems = [finding.problem for finding in findings if finding.problem is not None]
    if as_json:
        content = {"found": {one.name: one.value for one in findings}, "problems": problems}
        print(json.dumps(content, indent=2))
    else:
        print_rows(("ITEM", "VALUE"), ((one.name, one.value) for one in findings))
    for problem in problems:
        console.warn(problem)
    if findings[-1].problem is not None:
        raise typer.Exit(ExitCode.NOT_LOADED)
