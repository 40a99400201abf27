"""`moeclip compare`: what two runs found on the same images."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.text import Text

from moeclip_cli.cli import console, options
from moeclip_cli.cli.groups import grouped
from moeclip_cli.cli.tables import one_line
from moeclip_cli.errors import UsageError
from moeclip_cli.exit_codes import ExitCode
from moeclip_cli.files import is_present, replacing

if TYPE_CHECKING:
    from moeclip_cli.inspection.changes import Changes, Pair

_TOLERANCE = 0.001
_SHOWN = 20


@dataclass(frozen=True)
class Matching:
    """How two runs are compared.

    Attributes:
        by: what makes two rows those of one image: its path, its path below the folder that was
            scored, or the content of its file.
        tolerance: a score that moves by no more than this has not moved.
    """

    by: Literal["path", "name", "digest"] = "path"
    tolerance: Annotated[float, typer.Option(min=0)] = _TOLERANCE


@dataclass(frozen=True)
class CompareOutput:
    """Outputs of `moeclip compare`.

    Attributes:
        limit: rows of each table.
        report: HTML page to write.
        as_json: print one JSON object.
        fail_on_flips: exit with code 1 if a verdict changed.
    """

    limit: Annotated[int, typer.Option(min=1)] = _SHOWN
    report: Path | None = None
    overwrite: options.Overwrite = False
    as_json: Annotated[bool, typer.Option("--json")] = False
    fail_on_flips: Annotated[bool, typer.Option("--fail-on-flips")] = False


@grouped
def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="Output folder of `moeclip score`.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="Another one.")],
    matching: Matching,
    output: CompareOutput,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
    debug: options.Debug = False,
) -> None:
    """Compare two runs: verdicts that changed, scores that moved, images in one run only.

    An image that only one of the runs could read counts as a changed verdict.

    Exit codes: 0 done, 1 a verdict changed (with --fail-on-flips), 2 usage error.

    Example: moeclip compare monday tuesday --fail-on-flips
    """
    report = output.report
    if report is not None and is_present(report, "report") and not output.overwrite:
        raise UsageError(f"{report} already exists. Use --overwrite, or choose another --report.")

    from moeclip_cli.reports.pages.compare_page import compare_page
    from moeclip_cli.runs.comparison import compare as compare_runs
    from moeclip_cli.runs.finished_run import FinishedRun

    found = compare_runs(FinishedRun.open(a), FinishedRun.open(b), matching.by, matching.tolerance)
    if report is not None:
        with replacing(report, "report") as stream:
            for piece in compare_page(found, str(a), str(b)):
                stream.write(piece.encode())
    if output.as_json:
        print(json.dumps({"a": str(a), "b": str(b), **asdict(found)}, indent=2))
    elif not quiet:
        _print(found, output.limit)
    if output.fail_on_flips and found.flips:
        raise typer.Exit(ExitCode.ANOMALIES_FOUND)


def _print(found: Changes, limit: int) -> None:
    _print_pairs("Verdicts that changed", found.flips, limit)
    _print_pairs("Scores that moved, with the same verdict", found.moves, limit)
    for title, outcomes in (("Only in A", found.only_a), ("Only in B", found.only_b)):
        rows = [(outcome.verdict, outcome.path) for outcome in outcomes]
        _print_rows(title, ("verdict", "image"), rows, limit)
    if len(found.folders) > 1:
        _print_folders(found, limit)
    out = console.stdout()
    out.print(_sentence(found), soft_wrap=True)
    if found.differences:
        out.print(Text(one_line(f"Settings: {'; '.join(found.differences)}.")), soft_wrap=True)


def _print_pairs(title: str, pairs: Sequence[Pair], limit: int) -> None:
    rows = [
        (
            _score(pair.a.score),
            _score(pair.b.score),
            f"{pair.a.verdict} -> {pair.b.verdict}" if pair.flipped else pair.b.verdict,
            pair.b.path,
        )
        for pair in pairs[:limit]
    ]
    _print_rows(title, ("A", "B", "verdict", "image"), rows, limit, len(pairs))


def _print_folders(found: Changes, limit: int) -> None:
    heads = ("images", "changed", "moved", "furthest", "only A", "only B", "folder")
    rows = [
        (
            str(counts.both),
            str(counts.flipped),
            str(counts.moved),
            f"{counts.furthest:.3f}",
            str(counts.only_a),
            str(counts.only_b),
            folder,
        )
        for folder, counts in sorted(
            found.folders.items(), key=lambda item: (-item[1].flipped, -item[1].moved)
        )
    ]
    _print_rows("Folders", heads, rows, limit)


def _print_rows(
    title: str,
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    limit: int,
    total: int | None = None,
) -> None:
    if not rows:
        return
    total = len(rows) if total is None else total
    table = console.plain_table(title if total <= limit else f"{title} ({limit} of {total})")
    for head in heads:
        words = head in ("image", "verdict", "folder")
        table.add_column(head, justify="left" if words else "right", overflow="fold")
    for row in rows[:limit]:
        table.add_row(*(Text(one_line(cell)) for cell in row))
    console.print_table(table)


def _sentence(found: Changes) -> str:
    total = found.total
    flips = ", ".join(f"{n} {was} to {now}" for (was, now), n in found.kinds.most_common())
    return (
        f"{console.counted(total.both, 'image')} in both runs: "
        f"{console.counted(total.flipped, 'verdict')} changed{f' ({flips})' if flips else ''}, "
        f"{console.counted(total.moved, 'score')} moved. {total.only_a} only in A, "
        f"{total.only_b} only in B."
    )


def _score(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
