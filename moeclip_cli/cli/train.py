"""`moeclip train`: train adapters on a dataset, on own data or on generated images."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moeclip_cli.cli import console, options
from moeclip_cli.cli.datasets import DataRoot
from moeclip_cli.cli.processes import ran_in_several
from moeclip_cli.cli.training_display import training_display
from moeclip_cli.errors import UsageError

if TYPE_CHECKING:
    from moeclip_cli.training.setup import Setup

_DATA = "Data"
_NETWORK = "Network"
_OPTIMISER = "Optimisation"
_AUGMENTATION = "Augmentation"
_OUTPUT = "Output"
_RUNNING = "Running"

# What --as-released decides.
_RELEASED = ("dropout", "balance_weight", "etf_weight")


def _option(help_text: str, panel: str, *names: str, **more: Any) -> Any:
    return typer.Option(*names, help=help_text, rich_help_panel=panel, **more)


def train(
    ctx: typer.Context,
    data: Annotated[
        str,
        _option(
            "A dataset's name, a folder, a manifest, or synthetic.",
            _DATA,
            "--data",
            envvar="MOECLIP_TRAIN_DATA",
        ),
    ],
    data_root: DataRoot = None,
    val_data: Annotated[
        str | None, _option("What the best epoch is chosen on, as for --data.", _DATA)
    ] = None,
    val_fraction: Annotated[
        float, _option("Share of --data to hold out for that instead.", _DATA)
    ] = 0.0,
    false_alarms: Annotated[
        float, _option("Share of held-out normal images above the threshold.", _DATA)
    ] = 0.05,
    epoch_images: Annotated[int, _option("Images of an epoch of --data synthetic.", _DATA)] = 1000,
    backbone: Annotated[
        str | None,
        _option("An open_clip ViT or moeclip-mini.", _NETWORK, show_default="ViT-L-14-336"),
    ] = None,
    pretrained: Annotated[
        str | None,
        _option("open_clip's tag of its weights.", _NETWORK, show_default="OpenAI's, if any"),
    ] = None,
    backbone_weights: options.BackboneWeights = None,
    image_size: Annotated[
        int | None,
        _option("Side of the network input in pixels.", _NETWORK, show_default="about 518"),
    ] = None,
    layers: Annotated[
        str | None,
        _option("Blocks that adapters follow.", _NETWORK, show_default="quarter depths"),
    ] = None,
    rank: Annotated[int, _option("Rank of an expert.", _NETWORK)] = 8,
    experts: Annotated[int, _option("Experts of an adapter.", _NETWORK)] = 4,
    top_k: Annotated[int, _option("Experts that a patch is sent to.", _NETWORK)] = 2,
    alpha: Annotated[
        float | None, _option("LoRA scale.", _NETWORK, show_default="twice the rank")
    ] = None,
    dropout: Annotated[float, _option("Of the experts' inputs.", _NETWORK)] = 0.05,
    mix: Annotated[float, _option("Weight of the adapted token.", _NETWORK)] = 0.1,
    fofs: Annotated[
        bool, _option("Every expert reads features of its own.", _NETWORK, "--fofs/--no-fofs")
    ] = True,
    aggregation: Annotated[
        bool,
        _option("Patch average aggregation.", _NETWORK, "--aggregation/--no-aggregation"),
    ] = True,
    shared_projections: Annotated[
        bool,
        _option(
            "A level's maps share one projection.",
            _NETWORK,
            "--shared-projections/--separate-projections",
        ),
    ] = True,
    relu: Annotated[bool, _option("LeakyReLU after projections.", _NETWORK, "--relu")] = False,
    quick_gelu: Annotated[
        bool, _option("QuickGELU in the backbone.", _NETWORK, "--quick-gelu")
    ] = False,
    as_released: Annotated[
        bool,
        _option(
            "Train as the authors' code does, not as the paper says: no dropout, no ETF and no "
            "balance loss; keeps every epoch.",
            _OPTIMISER,
            "--as-released",
        ),
    ] = False,
    epochs: Annotated[int, _option("Passes over the data.", _OPTIMISER)] = 20,
    max_steps: Annotated[
        int | None, _option("End after this many steps, if sooner.", _OPTIMISER)
    ] = None,
    batch_size: Annotated[
        int,
        _option("Images of one step, over all processes.", _OPTIMISER, "--batch-size", "-b"),
    ] = 2,
    accumulate: Annotated[
        int, _option("Parts that a step's images are worked off in.", _OPTIMISER)
    ] = 1,
    learning_rate: Annotated[float, _option("Of Adam.", _OPTIMISER)] = 5e-5,
    beta1: Annotated[float, _option("Of Adam.", _OPTIMISER)] = 0.5,
    beta2: Annotated[float, _option("Of Adam.", _OPTIMISER)] = 0.999,
    milestones: Annotated[
        str, _option("Steps after which the learning rate falls.", _OPTIMISER)
    ] = "16000,32000",
    decay: Annotated[float, _option("By this factor.", _OPTIMISER)] = 0.5,
    balance_weight: Annotated[float, _option("Of the balance loss.", _OPTIMISER)] = 0.01,
    etf_weight: Annotated[float, _option("Of the ETF loss.", _OPTIMISER)] = 0.01,
    seed: Annotated[int, _option("Of everything random.", _OPTIMISER)] = 111,
    augment: Annotated[
        bool, _option("Change images at random.", _AUGMENTATION, "--augment/--no-augment")
    ] = True,
    rotation: Annotated[float, _option("Largest angle in degrees.", _AUGMENTATION)] = 30.0,
    rotation_p: Annotated[float, _option("Its probability.", _AUGMENTATION)] = 0.5,
    translation: Annotated[
        float, _option("Largest shift, as a fraction of the side.", _AUGMENTATION)
    ] = 0.15,
    translation_p: Annotated[float, _option("Its probability.", _AUGMENTATION)] = 0.5,
    horizontal_flip_p: Annotated[float, _option("Probability.", _AUGMENTATION)] = 0.5,
    vertical_flip_p: Annotated[float, _option("Probability.", _AUGMENTATION)] = 0.5,
    out: Annotated[Path, _option("Output folder.", _OUTPUT, "--out", "-o")] = Path("moeclip-train"),
    resume: Annotated[
        bool, _option("Go on with the training in --out.", _OUTPUT, "--resume")
    ] = False,
    overwrite: options.Overwrite = False,
    save_minutes: Annotated[float, _option("Time between saves.", _OUTPUT, min=0)] = 10.0,
    keep_epochs: Annotated[
        bool, _option("Keep the adapters of every epoch.", _OUTPUT, "--keep-epochs")
    ] = False,
    log_every: Annotated[
        int, _option("Steps that a row of metrics.csv is the mean of.", _OUTPUT, min=1)
    ] = 10,
    samples: Annotated[int, _option("Images to draw now and then.", _OUTPUT, min=0)] = 4,
    sample_every: Annotated[
        int | None,
        _option("Steps between pictures.", _OUTPUT, min=1, show_default="every epoch"),
    ] = None,
    tensorboard: Annotated[
        bool, _option("Write for TensorBoard too.", _OUTPUT, "--tensorboard")
    ] = False,
    device: options.Device = "auto",
    precision: options.PrecisionOption = options.Precision.auto,
    checkpoint_activations: Annotated[
        bool,
        _option(
            "Recompute the backbone's activations to save memory.",
            _RUNNING,
            "--checkpoint-activations",
        ),
    ] = False,
    processes: options.Processes = 1,
    workers: options.Workers = None,
    quiet: options.Quiet = False,
    config: options.Config = None,
    debug: options.Debug = False,
) -> None:
    """Train adapters; the result is OUT/model.safetensors, for moeclip score --model.

    Every option can also be set in the [train] table of a settings file (--config); the resolved
    ones are written to OUT/train.toml. Several machines: accelerate launch -m moeclip_cli train ...

    Exit codes: 0 done, 2 wrong use, 4 no data or no backbone, 130 interrupted (and saved).

    Example: moeclip train --data mvtec --val-fraction 0.1 --out mvtec-run
    """
    from moeclip_cli.parallel.world import is_main_process, process_device
    from moeclip_cli.training.boards import require_tensorboard
    from moeclip_cli.training.engine import require_accelerate

    require_accelerate()
    if tensorboard:
        require_tensorboard()
    chosen = process_device(device)
    if ran_in_several(processes, chosen):
        return
    if as_released:
        _refuse_with_released(ctx)

    from moeclip_cli.model.config import NetworkConfig
    from moeclip_cli.parallel.cores import choose_workers
    from moeclip_cli.training.configuration import (
        Augmentation,
        TrainingConfig,
        choose_training_precision,
    )
    from moeclip_cli.training.network import find_training_backbone
    from moeclip_cli.training.session import open_session
    from moeclip_cli.training.setup import Habits
    from moeclip_cli.training.trainer import train as run_training

    quiet = quiet or not is_main_process()
    with _status("Loading the backbone", quiet):
        found = find_training_backbone(backbone, pretrained, backbone_weights)
    network = NetworkConfig(
        layers=found.default_layers if layers is None else _numbers("--layers", layers),
        rank=rank,
        experts=experts,
        top_k=top_k,
        alpha=2.0 * rank if alpha is None else alpha,
        dropout=dropout,
        mix=mix,
        fofs=fofs,
        aggregation=aggregation,
        shared_projections=shared_projections,
        relu=relu,
        quick_gelu=quick_gelu,
        image_size=found.default_image_size if image_size is None else image_size,
    )
    settings = TrainingConfig(
        data=data,
        val_data=val_data,
        val_fraction=val_fraction,
        network=network,
        epochs=epochs,
        max_steps=max_steps,
        epoch_images=epoch_images,
        batch_size=batch_size,
        accumulate=accumulate,
        learning_rate=learning_rate,
        beta1=beta1,
        beta2=beta2,
        milestones=_numbers("--milestones", milestones),
        decay=decay,
        balance_weight=balance_weight,
        etf_weight=etf_weight,
        augmentation=Augmentation(
            rotation,
            rotation_p if augment else 0.0,
            translation,
            translation_p if augment else 0.0,
            horizontal_flip_p if augment else 0.0,
            vertical_flip_p if augment else 0.0,
        ),
        precision=choose_training_precision(precision.value),
        checkpoint_activations=checkpoint_activations,
        false_alarms=false_alarms,
        seed=seed,
    )
    habits = Habits(
        workers=choose_workers(workers),
        save_minutes=save_minutes,
        log_every=log_every,
        sample_every=sample_every,
        samples=samples,
        keep_epochs=keep_epochs or as_released,
        tensorboard=tensorboard,
    )
    named = {"backbone": backbone, "pretrained": pretrained, "backbone_weights": backbone_weights}
    session = open_session(
        settings.as_released() if as_released else settings,
        found,
        habits,
        out=out,
        device=chosen,
        command=shlex.join(["moeclip", *sys.argv[1:]]),
        data_root=data_root,
        backbone_options={name: str(value) for name, value in named.items() if value is not None},
        overwrite=overwrite,
        resume=resume,
    )
    if not quiet:
        _describe(session)
    with training_display(quiet) as display:
        try:
            summary = run_training(session, display.show)
        except KeyboardInterrupt:
            if not quiet:
                console.note(f"Saved in {out}; the same command with --resume goes on from there.")
            raise
    if not quiet:
        best = summary["best_epoch"]
        chosen_epoch = "" if best is None else f" (epoch {best}, the best on held-out images)"
        console.note(
            f"Trained {summary['steps']} steps in {console.duration(summary['seconds_here'])}."
        )
        print(f"{out / 'model.safetensors'}{chosen_epoch}")


def _refuse_with_released(ctx: typer.Context) -> None:
    for name in _RELEASED:
        source = ctx.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise UsageError(
                f"--as-released sets --{name.replace('_', '-')} to 0; leave out one of the two."
            )


def _numbers(option: str, text: str) -> tuple[int, ...]:
    """Whole numbers with commas between them."""
    try:
        return tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise UsageError(f"{option} takes whole numbers such as 6,12, not '{text}'.") from error


@contextmanager
def _status(what: str, quiet: bool) -> Iterator[None]:
    if quiet or not console.stderr().is_terminal:
        yield
        return
    from rich.status import Status

    with Status(what, console=console.stderr()):
        yield


def _describe(session: Setup) -> None:
    """What is about to happen, in a line or two."""
    from moeclip_cli.inspection.device import describe_device

    held_out = session.held_out
    chosen = "no validation: the last epoch is kept"
    if held_out is not None:
        chosen = f"{len(held_out)} held out, which choose the best epoch"
    console.note(
        f"Training on {len(session.training)} images of {session.config.data} ({chosen}), "
        f"backbone {session.backbone}, on {describe_device(session.device)}."
    )
