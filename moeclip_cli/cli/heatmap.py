"""`moeclip heatmap`: draw anomaly maps, without a results table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moeclip_cli.cli import console, options
from moeclip_cli.cli.cluster import ActorModel, ClusterOptions
from moeclip_cli.cli.exported import check_exported, load_scorer
from moeclip_cli.cli.framing import FramingOptions, warn_about_threshold
from moeclip_cli.cli.groups import grouped
from moeclip_cli.cli.image_options import ImageOptions
from moeclip_cli.cli.model_options import ModelOptions
from moeclip_cli.cli.product_options import ProductOptions
from moeclip_cli.cli.progress import meter
from moeclip_cli.cli.work import Work
from moeclip_cli.errors import UsageError
from moeclip_cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from moeclip_cli.discovery.inputs import ImageRef
    from moeclip_cli.discovery.places import ImagePlace
    from moeclip_cli.inspection.result import Result
    from moeclip_cli.runs.pictures import Pictures

# A terminal shows the picture of a single image only; more would scroll out of sight.
_MOST_PREVIEWS = 1
_PREVIEW_CELLS = (48, 24)


@dataclass(frozen=True)
class HeatmapOutput(options.PictureOutput):
    """Pictures that `moeclip heatmap` writes.

    Attributes:
        sheet: also write image, map and overlay side by side.
        mask: show the ground truth on the sheet: a mask file, or a folder of masks with the names
            of the images.
        experts: also draw the router's first choice of expert after this block.
    """

    sheet: bool = False
    mask: Path | None = None
    experts: Annotated[int | None, typer.Option(metavar="LAYER")] = None

    def pictures(self) -> Pictures:
        """The pictures to draw.

        Raises:
            UsageError: if `--mask` names no file or folder.
        """
        if self.mask is not None and not self.mask.exists():
            raise UsageError(f"{self.mask} was not found; check --mask.")
        from moeclip_cli.runs.pictures import Pictures

        return Pictures(
            self.out,
            self.picture_format,
            sheets=self.sheet or self.mask is not None,
            masks=self.mask,
            experts_layer=self.experts,
        )


@grouped
def heatmap(
    images: ImageOptions,
    framing: FramingOptions,
    product: ProductOptions,
    model: ModelOptions,
    output: HeatmapOutput,
    run: ClusterOptions,
    general: options.GeneralOptions,
) -> None:
    """Draw anomaly maps over images: heatmaps/NAME.png, and optionally sheets and expert maps.

    Exit codes: 0 done, 2 usage error, 3 some images could not be read, 4 model not loaded, 69
    actors of --ray were lost again and again, 130 interrupted.

    Example: moeclip heatmap img.png --prompt "metal bracket" --sheet
    """
    pictures = output.pictures()
    frames = framing.read()
    found = images.find(output.out, quiet=general.quiet)
    shown = product.read()
    model.check(run, product.threshold, product.unsure)
    check_exported(model, run, frames)
    run.check_cluster()
    if not output.overwrite:
        pictures.refuse_existing(found)

    from moeclip_cli.runs.heatmap_run import run_heatmap

    previews: list[tuple[ImagePlace, Result]] = []
    with run.joined(model, quiet=general.quiet) as share:
        here = run.here(share)
        inspector, shown = load_scorer(model, here, images, shown, frames, quiet=general.quiet)
        warn_about_threshold(inspector, quiet=general.quiet)
        actors = ActorModel(model, run, images, shown, frames)
        preview = len(found) <= _MOST_PREVIEWS and not general.quiet
        source = actors.source(inspector, share, output.out, keep_map=preview, quiet=general.quiet)
        work = Work.of_run(found, inspector.settings)
        label = "Drawing"
        with meter(len(found), quiet=general.quiet, label=label, work=work.total) as advance:

            def observe(ref: ImageRef, result: Result) -> None:
                advance(work.of(result.path))
                if result.error is not None:
                    if not general.quiet:
                        console.warn(f"{result.path}: {result.error}")
                    return
                for path in filter(None, pictures.written(ref.name).values()):
                    print(path)
                if preview:
                    previews.append((ref.path, result))

            pace = run.pace_with(inspector.default_batch_size, share)
            summary = run_heatmap(source, found, shown.prompt_for, pictures, pace, observe)
    for path, result in previews:  # after the progress bar is gone
        _preview(path, result)
    if summary.failed:
        raise typer.Exit(ExitCode.UNREADABLE_IMAGES)


def _preview(path: ImagePlace, result: Result) -> None:
    """Show the overlay in a terminal that has colours."""
    terminal = console.stdout()
    if not terminal.is_terminal or terminal.color_system not in ("truecolor", "256"):
        return
    from moeclip_cli.cli.preview import preview
    from moeclip_cli.images.decode import decode
    from moeclip_cli.pictures.panels import viewing_size

    small = viewing_size(decode(path).pixels)
    width, height = _PREVIEW_CELLS
    overlay = result.overlay(small, legend=False)
    terminal.print(preview(overlay, min(width, terminal.width), height))
