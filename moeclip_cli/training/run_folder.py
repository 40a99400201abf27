"""The output folder of a training.

model.safetensors   the result: the best epoch with validation, else the latest state
state.pt            everything that `--resume` continues from
train.toml          the resolved options; `moeclip train --config` repeats the training
metrics.csv         losses; validation.csv: metrics on held-out images
run.json            run card: settings, versions, machine and progress
samples/            pictures of held-out images; epochs/: adapters of every epoch, if kept
tensorboard/        the same metrics for TensorBoard, on request
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from moeclip_cli.files import replacing
from moeclip_cli.runs.folder import RunKind
from moeclip_cli.training.configuration import LENGTH

MODEL_FILE = "model.safetensors"
STATE_FILE = "state.pt"
OPTIONS_FILE = "train.toml"
METRICS_FILE = "metrics.csv"
VALIDATION_FILE = "validation.csv"
SAMPLES, EPOCHS, TENSORBOARD = "samples", "epochs", "tensorboard"

TRAINING = RunKind(
    noun="training",
    setting="training",
    files=(MODEL_FILE, STATE_FILE, OPTIONS_FILE, METRICS_FILE, VALIDATION_FILE),
    folders=(SAMPLES, EPOCHS, TENSORBOARD),
    may_differ=LENGTH,
    settings_file=OPTIONS_FILE,
    how_to_resume="`resume` (and, if finished, more `epochs`) to continue it",
    needs_card=True,
)


def write_options(folder: Path, options: Mapping[str, Any]) -> None:
    """Write the resolved options as a settings file.

    Raises:
        UsageError: if it cannot be written.
    """
    # JSON and TOML write text, numbers and truth values in the same way.
    lines = [f"{name} = {json.dumps(value)}" for name, value in options.items()]
    with replacing(folder / OPTIONS_FILE) as stream:
        stream.write(("[train]\n" + "\n".join(lines) + "\n").encode())
