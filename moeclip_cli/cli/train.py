"""`moeclip train`: train adapters on a dataset, on own data or on generated images."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from moeclip_cli.arguments import require_device_name
from moeclip_cli.cli import console, options
from moeclip_cli.cli.fractions import fraction
from moeclip_cli.cli.groups import AsOptions, grouped
from moeclip_cli.cli.processes import command_line, is_one_of_several, ran_in_several
from moeclip_cli.cli.training_display import training_display
from moeclip_cli.errors import UsageError
from moeclip_cli.extras import require_extra
from moeclip_cli.model.config import PAPER_BACKBONE, PAPER_IMAGE_SIZE, NetworkConfig
from moeclip_cli.runs.folder import require_usable
from moeclip_cli.training.configuration import (
    OutputOptions,
    TrainingConfig,
    choose_training_precision,
)
from moeclip_cli.training.data import require_data
from moeclip_cli.training.run_folder import TRAINING

if TYPE_CHECKING:
    from moeclip_cli.training.network import BackboneWeights
    from moeclip_cli.training.session import TrainingRun

NETWORK, OPTIMISATION, AUGMENTATION = "Network", "Optimisation", "Augmentation"

# The settings that --as-released determines.
_RELEASED = ("dropout", "balance_weight", "etf_weight")

# Where the options of a configuration differ from its fields.
CONFIG = AsOptions(
    OPTIMISATION,
    panels={
        **dict.fromkeys(
            ("data", "val_data", "val_fraction", "false_alarms", "epoch_images"), options.DATA
        ),
        "network": NETWORK,
        "augmentation": AUGMENTATION,
    },
    options={
        # MOECLIP_DATA is the data root.
        "data": typer.Option(envvar="MOECLIP_TRAIN_DATA"),
        "val_fraction": typer.Option(parser=fraction, metavar="FLOAT"),
        "false_alarms": typer.Option(parser=fraction, metavar="FLOAT"),
        "batch_size": typer.Option("--batch-size", "-b"),
        "layers": typer.Option(show_default="quarter depths"),
        "moe_layers": typer.Option(show_default="the levels"),
        "alpha": typer.Option(show_default="twice the rank"),
        "image_size": typer.Option(show_default=f"about {PAPER_IMAGE_SIZE}"),
        "shared_projections": typer.Option("--shared-projections/--separate-projections"),
    },
    without=("precision",),
)
OUTPUT = AsOptions(
    options={
        "save_minutes": typer.Option(min=0),
        "log_every": typer.Option(min=1),
        "samples": typer.Option(min=0),
        "sample_every": typer.Option(min=1),
    },
)


@dataclass(frozen=True)
class BackboneOptions:
    """The frozen backbone.

    Attributes:
        backbone: frozen backbone: a ViT of open_clip, or dinov2-vits14.
        pretrained: open_clip tag of the weights of the backbone.
        backbone_weights: local CLIP weights file: OpenAI .pt, or open_clip .pt or .safetensors.
    """

    PANEL: ClassVar[str] = NETWORK

    backbone: Annotated[str | None, typer.Option(show_default=PAPER_BACKBONE)] = None
    pretrained: Annotated[str | None, typer.Option(show_default="openai, if available")] = None
    backbone_weights: Path | None = None

    def given(self) -> dict[str, str]:
        """The options that are set, for a settings file."""
        return {name: str(value) for name, value in vars(self).items() if value is not None}

    def find(self, *, quiet: bool) -> BackboneWeights:
        """Read the backbone.

        Raises:
            ModelError: if it cannot be found, downloaded, read or trusted.
        """
        with console.status("Loading the backbone", quiet=quiet):
            from moeclip_cli.training.network import find_training_backbone

            return find_training_backbone(self.backbone, self.pretrained, self.backbone_weights)


@dataclass(frozen=True)
class RecipeOptions:
    """Switches that change several settings.

    Attributes:
        as_released: train like the authors' code instead of like the paper: no dropout, no ETF loss
            and no balance loss. Keeps the adapters of every epoch.
        augment: transform training images at random.
    """

    PANEL: ClassVar[str] = OPTIMISATION

    as_released: bool = False
    augment: Annotated[bool, typer.Option(rich_help_panel=AUGMENTATION)] = True

    def apply(self, config: TrainingConfig) -> TrainingConfig:
        """The configuration that the switches make of `config`."""
        if not self.augment:
            config = config.without_augmentation()
        return config.as_released() if self.as_released else config


@dataclass(frozen=True)
class TrainingOutput:
    """Output folder of a training.

    Attributes:
        resume: continue the interrupted training in --out.
        files: files in the folder.
    """

    PANEL: ClassVar[str] = options.OUTPUT

    out: options.Out = Path("moeclip-train")
    resume: bool = False
    overwrite: options.Overwrite = False
    files: OutputOptions = field(default_factory=OutputOptions)


@dataclass(frozen=True)
class MachineOptions(options.DeviceOptions):
    """Use of the machine."""

    processes: options.Processes = 1
    workers: options.Workers = None


@grouped
def train(
    *,
    ctx: typer.Context,
    data_root: options.DataRoot = None,
    config: Annotated[TrainingConfig, CONFIG],
    backbone: BackboneOptions,
    recipe: RecipeOptions,
    output: Annotated[TrainingOutput, OUTPUT],
    machine: MachineOptions,
    general: options.GeneralOptions,
) -> None:
    """Train adapters. The result is OUT/model.safetensors, for moeclip score --model.

    Every option can also be set in the [train] table of a settings file (--config); the resolved
    options are written to OUT/train.toml. Several machines: accelerate launch -m moeclip_cli train
    ...

    Exit codes: 0 done, 2 usage error, 4 data or backbone not loaded, 69 one of several processes
    was killed, 130 interrupted (and saved).

    Example: moeclip train --data visa --val-fraction 0.1 --out visa-run
    """
    if recipe.as_released:
        _refuse_with_released(ctx)
    require_device_name(machine.device)
    if not is_one_of_several():  # another one may have claimed the folder already
        require_usable(output.out, TRAINING, overwrite=output.overwrite, resume=output.resume)
    remarks = require_data(config, data_root)
    with console.status("Loading PyTorch", quiet=general.quiet):
        require_extra("accelerate", "train")
        if output.files.tensorboard:
            require_extra("tensorboard", "tensorboard")

        from moeclip_cli.parallel.cores import choose_workers
        from moeclip_cli.parallel.world import is_main_process, process_device

    device = process_device(machine.device)
    if ran_in_several(machine.processes, device):
        return

    from moeclip_cli.training.session import Destination, RuntimeOptions, prepare_run
    from moeclip_cli.training.trainer import train as run_training

    quiet = general.quiet or not is_main_process()
    found = backbone.find(quiet=quiet)
    config = replace(
        config,
        network=_fit(ctx, config.network, found),
        precision=choose_training_precision(machine.precision),
    )
    files = replace(output.files, keep_epochs=output.files.keep_epochs or recipe.as_released)
    training_run = prepare_run(
        recipe.apply(config),
        found,
        RuntimeOptions(**vars(files), workers=choose_workers(machine.workers)),
        Destination(output.out, command_line(), output.overwrite, output.resume),
        device=device,
        data_root=data_root,
        backbone_options=backbone.given(),
    )
    saved = f"Saved in {output.out}; the same command with --resume continues from there."
    with training_run.folder or nullcontext():
        if not quiet:
            _describe(training_run)
            for remark in remarks:
                console.warn(remark)
        with (
            console.note_if(() if quiet else KeyboardInterrupt, saved),
            training_display(quiet=quiet) as show,
        ):
            summary = run_training(training_run, show)
    if not quiet:
        best = summary["best_epoch"]
        epoch = "" if best is None else f" (epoch {best}, the best on held-out images)"
        console.note(
            f"Trained {summary['steps']} steps in {console.duration(summary['seconds_here'])}."
        )
        print(f"{output.out / 'model.safetensors'}{epoch}")


def _refuse_with_released(ctx: typer.Context) -> None:
    for name in _RELEASED:
        if _source(ctx, name) == "COMMANDLINE":
            raise UsageError(
                f"--as-released sets --{name.replace('_', '-')} to 0; omit one of the two."
            )


def _fit(ctx: typer.Context, network: NetworkConfig, backbone: BackboneWeights) -> NetworkConfig:
    """The network for a backbone: settings that the user did not choose follow the backbone."""
    if _source(ctx, "layers") == "DEFAULT":
        network = replace(network, layers=backbone.default_layers)
    if _source(ctx, "alpha") == "DEFAULT":
        network = replace(network, alpha=2.0 * network.rank)
    if _source(ctx, "image_size") == "DEFAULT":
        network = replace(network, image_size=backbone.default_image_size)
    return network


def _source(ctx: typer.Context, name: str) -> str | None:
    """The source of an option's value: COMMANDLINE, ENVIRONMENT, DEFAULT_MAP or DEFAULT."""
    source = ctx.get_parameter_source(name)
    return None if source is None else source.name


def _describe(run: TrainingRun) -> None:
    """Print a summary of the training that is about to start."""
    from moeclip_cli.parallel.device import describe_device

    held_out = run.held_out
    validation = "no validation: the last epoch is kept"
    if held_out is not None:
        validation = f"{len(held_out)} held out, which choose the best epoch"
    console.note(
        f"Training on {len(run.training)} images of {run.config.data} ({validation}), "
        f"backbone {run.backbone}, on {describe_device(run.device)}."
    )
