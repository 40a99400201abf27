"""`moeclip watch`: inspect the pictures that arrive in a folder."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import typer

from moeclip_cli.cli import console, options, signals
from moeclip_cli.cli.exported import check_exported, load_scorer
from moeclip_cli.cli.groups import grouped
from moeclip_cli.cli.heatmap_choice import ANOMALOUS, Heatmaps
from moeclip_cli.cli.image_options import ImageOptions
from moeclip_cli.cli.model_options import ModelOptions
from moeclip_cli.cli.processes import command_line
from moeclip_cli.cli.product_options import Product, ProductOptions
from moeclip_cli.cli.score_table import counted_verdicts
from moeclip_cli.exit_codes import ExitCode
from moeclip_cli.tiles.framing import Framing

if TYPE_CHECKING:
    from moeclip_cli.exports.onnx_inspector import OnnxInspector
    from moeclip_cli.inspection.inspector import Inspector
    from moeclip_cli.runs.folder import RunFolder
    from moeclip_cli.runs.score_run import Outputs
    from moeclip_cli.runs.summary import Summary
    from moeclip_cli.watch.actions import Actions
    from moeclip_cli.watch.delivery import Sender
    from moeclip_cli.watch.hook import Hook
    from moeclip_cli.watch.run import Watched
    from moeclip_cli.watch.watcher import Timing

_ACTIONS = "Actions"


@dataclass(frozen=True)
class ArrivalOptions:
    """Where pictures arrive.

    Attributes:
        folder: folder to watch, with its subfolders.
        only_new: leave out the pictures that are there when the watch is started for the first
            time.
        complete: when a picture is complete. size: two looks find the same size and time. done:
            also, NAME.done lies beside it.
        settle: seconds for which size and time of a picture must stay the same.
        poll: seconds between two looks at the folder.
        stop_when_idle: end when no picture came for this many seconds. Default: never.
        max_pixels: reject images with more pixels than this.
        decode_seconds: stop decoding an image after this many seconds.
    """

    PANEL: ClassVar[str] = options.IMAGES

    folder: Annotated[Path, typer.Argument(metavar="DIR", show_default=False)]
    only_new: bool = False
    complete: Literal["size", "done"] = "size"
    settle: Annotated[float, typer.Option(min=0)] = 0.0
    poll: Annotated[float, typer.Option(min=0.01)] = 0.2
    stop_when_idle: Annotated[float | None, typer.Option(min=0)] = None
    max_pixels: Annotated[int | None, typer.Option(min=1)] = None
    decode_seconds: Annotated[float | None, typer.Option(min=0.1, show_default="20")] = None

    @property
    def watched(self) -> Watched:
        """The folder."""
        from moeclip_cli.watch.run import Watched

        return Watched(self.folder, self.complete == "done", self.settle, self.only_new)

    @property
    def timing(self) -> Timing:
        """When to look, to try again and to end."""
        from moeclip_cli.watch.watcher import Timing

        retry = None if self.complete == "done" else Timing.retry
        return Timing(self.poll, retry, self.stop_when_idle)

    @property
    def limits(self) -> ImageOptions:
        """The limits on each picture."""
        return ImageOptions([], max_pixels=self.max_pixels, decode_seconds=self.decode_seconds)


@dataclass(frozen=True)
class WatchOutput(options.PictureOutput):
    """Outputs of `moeclip watch`.

    Attributes:
        heatmaps: write an overlay for each image, or for each anomalous and unsure one.
        keep_maps: write each anomaly map with 8 bits a pixel to compact-maps/NAME.png, about 20 KB,
            for `moeclip recut`.
        table_format: file format of the results table.
        move: move each picture to good, unsure, bad or unreadable in the output folder.
        move_to: move each picture to good, unsure, bad or unreadable in this folder.
    """

    heatmaps: Heatmaps = None
    keep_maps: bool = False
    table_format: Annotated[Literal["csv", "jsonl"], typer.Option("--format", "-f")] = "csv"
    move: bool = False
    move_to: Annotated[Path | None, typer.Option(metavar="DIR", show_default=False)] = None

    @property
    def destination(self) -> Path | None:
        """The folder that pictures are moved below, if they are moved."""
        return self.move_to or (self.out if self.move else None)


@dataclass(frozen=True)
class ActionOptions:
    """What is done with each inspected picture.

    Attributes:
        hook: command to run, such as 'eject {path} {verdict}', with the result as JSON on its
            standard input. No shell is used.
        hook_timeout: seconds after which the command is killed.
        webhook: address to which each result is posted as JSON, signed with the secret in the
            variable MOECLIP_WEBHOOK_SECRET.
        mqtt: broker and topic to which each result is published, mqtt://HOST/TOPIC or mqtts://.
    """

    PANEL: ClassVar[str] = _ACTIONS

    hook: Annotated[str | None, typer.Option(metavar="COMMAND", show_default=False)] = None
    hook_timeout: Annotated[float, typer.Option(min=0.1)] = 10.0
    webhook: Annotated[str | None, typer.Option(metavar="URL", show_default=False)] = None
    mqtt: Annotated[str | None, typer.Option(metavar="URL", show_default=False)] = None

    def read(self) -> tuple[Hook | None, list[Sender]]:
        """The command, and the ways to receivers.

        Raises:
            UsageError: if the command or an address is invalid.
            MissingExtraError: if a package for MQTT is not installed.
        """
        from moeclip_cli.watch.hook import Hook
        from moeclip_cli.watch.mqtt import Mqtt
        from moeclip_cli.watch.webhook import SECRET_VARIABLE, Webhook

        senders: list[Sender] = []
        if self.webhook is not None:
            senders.append(Webhook(self.webhook, os.environ.get(SECRET_VARIABLE)))
        if self.mqtt is not None:
            senders.append(Mqtt(self.mqtt))
        return None if self.hook is None else Hook(self.hook, self.hook_timeout), senders


@grouped
def watch(
    arrivals: ArrivalOptions,
    product: ProductOptions,
    model: ModelOptions,
    output: WatchOutput,
    action: ActionOptions,
    run: options.RunOptions,
    general: options.GeneralOptions,
) -> None:
    """Inspect each picture that arrives in a folder, once, as soon as it is complete.

    Prints one JSON object per picture and writes the output folder of `moeclip score`. The same
    command again continues: no picture is lost or inspected twice. Ctrl-C or SIGTERM ends the watch
    after the picture in hand.

    Exit codes: 130 ended by Ctrl-C, 143 ended by SIGTERM, 0 ended by --stop-when-idle, 3 likewise,
    and some pictures could not be read, 2 usage error, 4 model not loaded.

    Example: moeclip watch ./camera/ --profile bracket.json --out line --move
    """
    watched = arrivals.watched
    watched.require_apart(output.out, output.destination)
    shown = product.read()
    model.check(run, product.threshold, product.unsure)
    check_exported(model, run, Framing())
    hook, senders = action.read()

    from moeclip_cli.runs.folder import require_usable
    from moeclip_cli.watch.moving import require_writable
    from moeclip_cli.watch.run import WATCH, Control, run_watch
    from moeclip_cli.watch.webhook import SECRET_VARIABLE

    require_usable(output.out, WATCH, overwrite=output.overwrite, resume=not output.overwrite)
    if output.move_to is not None:
        require_writable(output.move_to)
    inspector, shown = load_scorer(
        model, run, arrivals.limits, shown, Framing(), quiet=general.quiet
    )
    folder, outputs = _claim(inspector, output, shown, watched)
    teller = _Teller(general.quiet)
    if action.webhook is not None and not os.environ.get(SECRET_VARIABLE):
        teller.note(f"Messages of the webhook are not signed: {SECRET_VARIABLE} is not set.")
    with ExitStack() as stack:
        stack.enter_context(folder)
        stop = stack.enter_context(signals.noted())
        actions = teller.actions(folder.path, hook, senders, output.destination)
        control = Control(arrivals.timing, stop.wait, teller.started(watched))
        pace = run.pace(inspector.default_batch_size)
        summary, counts = run_watch(
            inspector, watched, shown.prompt_for, folder, outputs, pace, actions, control
        )
    teller.summarise(summary, counts, band=inspector.threshold.unsure is not None)
    stop.end()
    if summary.failed:
        raise typer.Exit(ExitCode.UNREADABLE_IMAGES)


def _claim(
    inspector: Inspector | OnnxInspector,
    output: WatchOutput,
    product: Product,
    watched: Watched,
) -> tuple[RunFolder, Outputs]:
    """The output folder, claimed for these settings, and the files to write there."""
    from moeclip_cli.runs.environment import describe_environment
    from moeclip_cli.runs.folder import RunFolder
    from moeclip_cli.runs.score_run import Outputs, score_settings
    from moeclip_cli.watch.run import WATCH

    outputs = Outputs(
        table_format=output.table_format,
        heatmaps=output.picture_format if output.heatmaps else None,
        anomalous_only=output.heatmaps == ANOMALOUS,
        keep_maps=output.keep_maps,
    )
    settings = score_settings(
        inspector, outputs, prompt=product.prompt, prompt_rules=product.rules_text
    )
    environment = describe_environment(inspector.device_name, command_line(), inspector.versions)
    if output.destination is not None:
        environment["moved_to"] = str(output.destination)
    folder = RunFolder.claim(
        output.out,
        WATCH,
        settings | watched.settings,
        environment,
        overwrite=output.overwrite,
        resume=not output.overwrite,
    )
    return folder, outputs


@dataclass(frozen=True)
class _Teller:
    """What is printed: events to standard output, everything else to standard error."""

    quiet: bool

    def note(self, message: str) -> None:
        if not self.quiet:
            console.note(message)

    def say(self, message: str) -> None:
        if not self.quiet:
            console.warn(message)

    @staticmethod
    def tell(event: Mapping[str, Any]) -> None:
        print(json.dumps(event), flush=True)

    def actions(
        self, out: Path, hook: Hook | None, senders: list[Sender], move_to: Path | None
    ) -> Actions:
        """The actions on each picture."""
        from moeclip_cli.watch.actions import Actions
        from moeclip_cli.watch.delivery import Delivery
        from moeclip_cli.watch.outbox import Outbox

        deliveries = [Delivery(each, Outbox(out / each.folder), self.say) for each in senders]
        return Actions(self.say, self.tell, move_to, hook, deliveries)

    def started(self, watched: Watched) -> Callable[[int], None]:
        """Say that the watch has started, and what becomes of the pictures that are there."""

        def note(number: int) -> None:
            fate = "left out" if watched.only_new else "inspected first"
            there = f" {console.counted(number, 'picture')} there: {fate}." if number else ""
            self.note(f"Watching {watched.folder}.{there} Ctrl-C ends the watch.")

        return note

    def summarise(self, summary: Summary, counts: Mapping[str, int], *, band: bool) -> None:
        """Print the counts in one line."""
        more = "".join(f"; {what}: {number}" for what, number in counts.items() if number)
        self.note(
            f"{counted_verdicts(summary, 'picture', band=band)}; {summary.scored_now} since the "
            f"start{more}."
        )
        if self.quiet and summary.failed:
            unread = console.counted(summary.failed, "picture")
            console.warn(f"{unread} could not be read; the table says which and why.")
