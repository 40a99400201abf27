"""`moeclip calibrate`: a threshold of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from moeclip_cli.checkpoints.builtin import DEFAULT_MODEL
from moeclip_cli.cli import console, inputs, options
from moeclip_cli.cli.score import SOME_UNREADABLE
from moeclip_cli.cli.tables import one_line
from moeclip_cli.errors import UsageError
from moeclip_cli.images.prompts_file import DEFAULT_PROMPT

if TYPE_CHECKING:
    from moeclip_cli.inspection.profile import Profile

# What a defective part among the good ones would be noticed by.
_SHOWN = 5


def calibrate(
    paths: options.Images,
    false_alarms: Annotated[
        float,
        typer.Option("--false-alarms", "-a", help="Share of good images that may be flagged."),
    ] = 0.05,
    profile: Annotated[
        Path, typer.Option("--profile", help="File for the result.", rich_help_panel="Output")
    ] = Path("moeclip-profile.json"),
    overwrite: options.Overwrite = False,
    prompt: options.Prompt = DEFAULT_PROMPT,
    model: options.Model = DEFAULT_MODEL,
    backbone_weights: options.BackboneWeights = None,
    domain: options.DomainOption = None,
    image_size: options.ImageSize = None,
    recursive: options.Recursive = True,
    limit: options.Limit = None,
    max_pixels: options.MaxPixels = None,
    device: options.Device = "auto",
    precision: options.PrecisionOption = options.Precision.auto,
    batch_size: options.BatchSize = None,
    workers: options.Workers = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    config: options.Config = None,
    debug: options.Debug = False,
) -> None:
    """Find the threshold for a product from images of good parts, and keep it as a profile.

    Images that cannot be read are left out (exit code 3).

    Example: moeclip calibrate ./good/ --prompt "metal bracket" --profile bracket.json
    """
    if profile.exists() and not overwrite:
        raise UsageError(f"There is a {profile} already; use --overwrite or another --profile.")
    source, total = inputs.open_source(
        paths,
        recursive=recursive,
        out=inputs.DEFAULT_OUT,
        limit=limit,
        verbose=verbose,
        quiet=quiet,
    )
    inputs.require_prompt(prompt)

    from itertools import islice

    from moeclip_cli.inspection.calibration import conformal_threshold, require_enough
    from moeclip_cli.inspection.profile import Profile, scoring_settings
    from moeclip_cli.reports.files import replacing

    require_enough(total, false_alarms)
    inspector = inputs.load_inspector(
        quiet,
        model=model,
        backbone_weights=backbone_weights,
        image_size=image_size,
        domain=domain and domain.value,
        device=device,
        precision=precision.value,
        max_pixels=max_pixels,
    )
    scores: dict[str, float] = {}
    failed = 0
    images = (ref.path for ref in islice(source, limit))
    results = inspector.score(images, prompt=prompt, batch_size=batch_size, workers=workers)
    with console.meter(total, quiet=quiet) as meter:
        for result in results:
            meter.advance()
            if result.score is not None:
                scores[result.path] = result.score
                continue
            failed += 1
            if not quiet:
                console.warn(f"{result.path}: {result.error}")
    found = Profile(
        conformal_threshold(list(scores.values()), false_alarms),
        false_alarms,
        len(scores),
        prompt,
        scoring_settings(inspector),
    )
    with replacing(profile, "--profile") as stream:
        stream.write(f"{found.to_json()}\n".encode())
    if not quiet:
        _print_found(found, scores)
        console.note(
            "If one of these parts is defective after all, take it out and calibrate again."
        )
        console.note(f"The profile is in {profile}; use it with --profile {profile}.")
    if failed:
        raise typer.Exit(SOME_UNREADABLE)


def _print_found(profile: Profile, scores: dict[str, float]) -> None:
    from rich.table import Table

    table = Table(title="Highest scores", box=None, title_justify="left", pad_edge=False)
    table.add_column("score", justify="right")
    table.add_column("image", overflow="fold")
    for path in sorted(scores, key=lambda path: -scores[path])[:_SHOWN]:
        table.add_row(f"{scores[path]:.3f}", Text(one_line(path)))
    console.print_table(table)
    found = f"Threshold {profile.threshold:.4f} ({profile.source})."
    console.stdout().print(found, soft_wrap=True)
