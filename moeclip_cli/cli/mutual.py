"""`moeclip score --mutual`: the option, the forecast and the progress of the comparison."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from moeclip_cli.checkpoints.names import is_graph
from moeclip_cli.cli import console, options
from moeclip_cli.cli.fastest import settle
from moeclip_cli.cli.image_options import ImageOptions
from moeclip_cli.cli.model_options import ModelOptions
from moeclip_cli.cli.product_options import Product, ProductOptions
from moeclip_cli.cli.progress import progress
from moeclip_cli.errors import UsageError

if TYPE_CHECKING:
    from moeclip_cli.discovery.inputs import ImageRef
    from moeclip_cli.inspection.mutual import MutualInspector
    from moeclip_cli.runs.folder import RunFolder
    from moeclip_cli.runs.mutual_run import ComparedFolder, Forecast
    from moeclip_cli.runs.stream import Pace


@dataclass(frozen=True)
class MutualOptions:
    """Whether the images are compared with each other.

    Attributes:
        mutual: compare the images with each other, patch by patch. The score is then the distance
            to the most similar others, and depends on them. Most images must be normal; no
            reference is needed.
    """

    PANEL: ClassVar[str] = options.MODEL

    mutual: bool = False

    def check(self, model: ModelOptions, product: ProductOptions) -> None:
        """Refuse options that choose another comparison.

        Raises:
            UsageError: if there are any.
        """
        if self.mutual and model.model is not None and is_graph(model.model):
            raise UsageError(
                f"{model.model} is an exported graph, which does not compare images with each "
                "other; omit `model`, or use the checkpoint."
            )
        if self.mutual and product.unsure is not None and product.threshold is None:
            raise UsageError(
                "With `mutual`, the threshold is known only after the images are compared; give a "
                "`threshold` with `unsure`."
            )
        others = {"reference": model.reference, "profile": product.profile}
        for name, value in others.items():
            if self.mutual and value:
                raise UsageError(
                    f"`mutual` compares the images with each other, `{name}` with good parts; use "
                    "one of the two."
                )

    def load(
        self,
        model: ModelOptions,
        device: options.DeviceOptions,
        images: ImageOptions,
        product: Product,
        *,
        quiet: bool,
    ) -> MutualInspector:
        """Load the model onto the device.

        Raises:
            ModelError, UsageError: see `Inspector.load`.
        """
        measured = model.measured(device.device, compares=True)
        settled = settle(device.precision, measured, quiet=quiet)
        with console.status("Loading the model", quiet=quiet):
            from moeclip_cli.images.decode import DEFAULT_DECODE_SECONDS, DEFAULT_MAX_PIXELS
            from moeclip_cli.inspection.mutual import MutualInspector

            found = MutualInspector.load(
                model.model,
                backbone_weights=model.backbone_weights,
                image_size=model.image_size,
                domain=model.domain,
                threshold=product.threshold,
                unsure=product.unsure,
                device=device.device,
                precision=settled.precision,
                max_pixels=images.max_pixels or DEFAULT_MAX_PIXELS,
                decode_seconds=images.decode_seconds or DEFAULT_DECODE_SECONDS,
            )
        found.facts |= settled.facts
        return found


def compare(
    inspector: MutualInspector,
    refs: Iterable[ImageRef],
    folder: RunFolder,
    pace: Pace,
    *,
    quiet: bool,
) -> ComparedFolder:
    """Compare the images of a run, with a forecast and progress on standard error.

    Args:
        inspector: compares the images.
        refs: the images.
        folder: the claimed output folder.
        pace: batch size and threads.
        quiet: print nothing.

    Raises:
        ModelError, UsageError: see `compare_folder`.
    """
    from moeclip_cli.runs.mutual_run import Watch, compare_folder

    def forecast(ahead: Forecast) -> None:
        console.note(forecast_sentence(ahead, inspector.where))

    with progress(quiet=quiet) as show:

        def position(activity: str, done: int, total: int, subset: int, subsets: int) -> None:
            show(activity, done, total, f"subset {subset} of {subsets}")

        watch = Watch(position) if quiet else Watch(position, forecast, console.note)
        return compare_folder(inspector, refs, folder, pace, watch)


def forecast_sentence(ahead: Forecast, where: str) -> str:
    """A sentence such as "About 14 min: 1,000 images in 5 subsets of 200 on cpu, float32."."""
    subsets = "" if ahead.subsets == 1 else f" in {ahead.subsets} subsets of {ahead.largest}"
    return f"About {_roughly(ahead.seconds)}: {ahead.images:,} images{subsets} on {where}."


def _roughly(seconds: float) -> str:
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    if seconds < 3600:
        return f"{round(seconds / 60)} min"
    return console.duration(seconds)
