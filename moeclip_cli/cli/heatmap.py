"""`moeclip heatmap`: pictures without a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moeclip_cli.checkpoints.builtin import DEFAULT_MODEL
from moeclip_cli.cli import console, inputs, options
from moeclip_cli.cli.score import SOME_UNREADABLE
from moeclip_cli.images.prompts_file import DEFAULT_PROMPT

if TYPE_CHECKING:
    from moeclip_cli.inspection.result import Result

# With more images than this, pictures in the terminal would only scroll by.
_PREVIEWED = 1
_PREVIEW_CELLS = (48, 24)


def heatmap(
    paths: options.Images,
    prompt: options.Prompt = DEFAULT_PROMPT,
    prompts: options.Prompts = None,
    model: options.Model = DEFAULT_MODEL,
    backbone_weights: options.BackboneWeights = None,
    domain: options.DomainOption = None,
    image_size: options.ImageSize = None,
    threshold: options.Threshold = None,
    profile: options.ProfileFile = None,
    recursive: options.Recursive = True,
    limit: options.Limit = None,
    max_pixels: options.MaxPixels = None,
    out: options.Out = inputs.DEFAULT_OUT,
    picture_format: options.PictureFormat = options.Picture.png,
    sheet: Annotated[
        bool,
        typer.Option(
            "--sheet",
            help="Also write image, map and overlay side by side.",
            rich_help_panel="Output",
        ),
    ] = False,
    mask: Annotated[
        Path | None,
        typer.Option(
            help="Show the true mask on the sheet: a file, or a folder with the images' names.",
            rich_help_panel="Output",
        ),
    ] = None,
    experts: Annotated[
        int | None,
        typer.Option(
            metavar="LAYER",
            help="Also draw which expert the router chose first after this block.",
            rich_help_panel="Output",
        ),
    ] = None,
    overwrite: options.Overwrite = False,
    device: options.Device = "auto",
    precision: options.PrecisionOption = options.Precision.auto,
    batch_size: options.BatchSize = None,
    workers: options.Workers = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    config: options.Config = None,
    debug: options.Debug = False,
) -> None:
    """Draw anomaly maps over images: heatmaps/NAME.png, on request sheets and expert maps.

    Example: moeclip heatmap img.png --prompt "metal bracket" --sheet
    """
    if mask is not None and not mask.exists():
        raise options.no_such_path(mask, "--mask")
    source, total = inputs.open_source(
        paths, recursive=recursive, out=out, limit=limit, verbose=verbose, quiet=quiet
    )
    kept = inputs.read_profile(profile)
    prompt = inputs.one_prompt(prompt, prompts, kept)
    prompt_for = inputs.prompt_rule(prompt, prompts)

    from itertools import islice

    from moeclip_cli.images.inputs import ImageRef
    from moeclip_cli.runs.heatmap_run import Pictures, run_heatmap

    pictures = Pictures(
        out,
        picture_format.value,
        sheets=sheet or mask is not None,
        masks=mask,
        experts_layer=experts,
    )
    if not overwrite:
        pictures.refuse_existing(islice(source, limit))
    inspector = inputs.load_inspector(
        quiet,
        model=model,
        backbone_weights=backbone_weights,
        image_size=image_size,
        domain=domain and domain.value,
        threshold=threshold,
        profile=kept,
        device=device,
        precision=precision.value,
        max_pixels=max_pixels,
    )
    previews: list[tuple[Path, Result]] = []
    with console.meter(total, quiet=quiet, what="Drawing") as meter:

        def observe(ref: ImageRef, result: Result) -> None:
            meter.advance()
            if result.error is not None:
                if not quiet:
                    console.warn(f"{result.path}: {result.error}")
                return
            for path in pictures.paths(ref.name).values():
                print(path)
            if total <= _PREVIEWED and not quiet:
                previews.append((ref.path, result))

        summary = run_heatmap(
            inspector,
            islice(source, limit),
            prompt_for,
            pictures,
            inputs.pace(inspector, batch_size, workers),
            observe,
        )
    for path, result in previews:  # when no progress bar is in the way any more
        _preview(path, result)
    if summary.failed:
        raise typer.Exit(SOME_UNREADABLE)


def _preview(path: Path, result: Result) -> None:
    """Show the overlay in a terminal that has colours."""
    terminal = console.stdout()
    if not terminal.is_terminal or terminal.color_system not in ("truecolor", "256"):
        return
    from moeclip_cli.images.decode import decode
    from moeclip_cli.reports.panels import viewing_size
    from moeclip_cli.reports.preview import preview
    from moeclip_cli.runs.heatmap_run import overlay_of

    small = viewing_size(decode(path).pixels)
    width, height = _PREVIEW_CELLS
    overlay = overlay_of(small, result, legend=False)
    terminal.print(preview(overlay, min(width, terminal.width), height))
