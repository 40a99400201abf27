"""`moeclip verify`: check that an output folder is complete."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moeclip_cli.cli import console, options
from moeclip_cli.cli.tables import one_line
from moeclip_cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from moeclip_cli.runs.verify import Verification


def verify(
    folder: Annotated[Path, typer.Argument(metavar="OUT", help="Output folder to check.")],
    inputs: Annotated[
        bool, typer.Option(help="Check that the images still exist and have not changed.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    debug: options.Debug = False,
) -> None:
    """Check that an output folder of score, train or benchmark is complete and unchanged.

    Compares rows with images, overlays and maps with rows, and files with the digests that the run
    recorded when it finished.

    Exit codes: 0 complete, 2 usage error, 5 not complete.

    Example: moeclip verify moeclip-out
    """
    from moeclip_cli.runs.verify import verify as check

    found = check(folder, inputs=inputs)
    if as_json:
        content = {
            "folder": str(folder),
            "complete": found.complete,
            "counts": found.counts,
            "problems": [vars(problem) for problem in found.problems.values()],
        }
        print(json.dumps(content, indent=2))
    else:
        _print(folder, found)
    if not found.complete:
        raise typer.Exit(ExitCode.INCOMPLETE)


def _print(folder: Path, found: Verification) -> None:
    for problem in found.problems.values():
        examples = ", ".join(map(one_line, problem.examples))
        more = ", ..." if problem.count > len(problem.examples) else ""
        console.warn(f"{problem.description} ({problem.count}): {examples}{more}")
    counts = ", ".join(f"{count} {name}" for name, count in found.counts.items() if count)
    state = "is complete" if found.complete else "is not complete"
    seen = f": {counts}" if counts else ""
    console.stdout().print(f"{one_line(str(folder))} {state}{seen}.", soft_wrap=True)
