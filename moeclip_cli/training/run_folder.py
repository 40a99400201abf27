"""The folder of a training: claimed once, never overwritten or resumed by accident.

model.safetensors   the result: the best epoch if there is validation, else the latest state
state.pt            what `--resume` goes on from
train.toml          the resolved options; `moeclip train --config` runs the same again
metrics.csv         losses; validation.csv: measurements on held-out images
run.json            run card: settings, versions, machine, and how far it came
samples/            pictures of held-out images; epochs/: every epoch's adapters, if kept
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from moeclip_cli.errors import UsageError
from moeclip_cli.reports.files import replacing, write_errors
from moeclip_cli.runs.run_card import CARD, RunCard, read_card
from moeclip_cli.training.configuration import LENGTH
from moeclip_cli.training.state import STATE_FILE

MODEL_FILE = "model.safetensors"
OPTIONS_FILE = "train.toml"
METRICS_FILE = "metrics.csv"
VALIDATION_FILE = "validation.csv"
SAMPLES, EPOCHS, TENSORBOARD = "samples", "epochs", "tensorboard"

_FILES = (MODEL_FILE, STATE_FILE, OPTIONS_FILE, METRICS_FILE, VALIDATION_FILE, CARD)
_FOLDERS = (SAMPLES, EPOCHS, TENSORBOARD)


class TrainingFolder:
    """An output folder that a training has claimed.

    Attributes:
        path: the folder.
        card: its run card.
        resumed: whether it holds a state to go on from.
    """

    def __init__(self, path: Path, card: RunCard, *, resumed: bool) -> None:
        self.path = path
        self.resumed = resumed
        self.card = card

    @classmethod
    def claim(
        cls,
        path: Path,
        settings: Mapping[str, Any],
        environment: Mapping[str, Any],
        *,
        overwrite: bool = False,
        resume: bool = False,
    ) -> TrainingFolder:
        """Claim `path` for a training.

        Args:
            path: the folder; made if missing.
            settings: everything that decides what is computed; must be equal to resume, but for
                how long to train.
            environment: what else the card records.
            overwrite: replace what an earlier training left there.
            resume: go on with an earlier training.

        Raises:
            UsageError: if an earlier run's results are in the way, or there is nothing to resume,
                or it has other settings.
        """
        earlier = read_card(path)
        mine = earlier is not None and "training" in earlier.get("settings", {})
        if resume:
            if earlier is None or not mine:
                raise UsageError(
                    f"There is no training in {path} to resume; leave out --resume, or check --out."
                )
            _require_same(path, earlier["settings"], dict(settings))
        elif overwrite and mine:
            _remove(path)
        elif earlier is not None or any((path / name).exists() for name in _FILES):
            raise _in_the_way(path, earlier, mine)
        card = RunCard(path, settings, environment)
        return cls(path, card, resumed=resume and (path / STATE_FILE).exists())

    def write_options(self, options: Mapping[str, Any]) -> None:
        """Write the resolved options as a settings file.

        Raises:
            UsageError: if it cannot be written.
        """
        # Text, numbers and truth values look the same in JSON and in TOML.
        lines = [f"{name} = {json.dumps(value)}" for name, value in options.items()]
        with replacing(self.path / OPTIONS_FILE) as stream:
            stream.write(("[train]\n" + "\n".join(lines) + "\n").encode())


def _in_the_way(path: Path, earlier: Mapping[str, Any] | None, mine: bool) -> UsageError:
    if earlier is None or not mine:
        return UsageError(f"{path} holds results of something else; choose another --out.")
    if earlier.get("state") == "finished":
        return UsageError(
            f"{path} holds a finished training; use another --out, --overwrite to replace it, or "
            "--resume with more --epochs to go on."
        )
    return UsageError(
        f"{path} holds an unfinished training; use --resume to go on with it, --overwrite to "
        "replace it, or another --out."
    )


def _require_same(path: Path, before: Mapping[str, Any], now: dict[str, Any]) -> None:
    now = json.loads(json.dumps(now))  # as the card would hold it
    for part in sorted(before.keys() | now.keys()):
        old, new = before.get(part), now.get(part)
        if isinstance(old, dict) and isinstance(new, dict):
            names = sorted((old.keys() | new.keys()) - set(LENGTH))
            pairs = [(name, old.get(name), new.get(name)) for name in names]
        else:
            pairs = [(part, old, new)]
        for name, was, is_now in pairs:
            if was != is_now:
                raise UsageError(
                    f"The training in {path} cannot be resumed: its {name.replace('_', ' ')} was "
                    f"{was}, now it is {is_now}; give the same settings (--config "
                    f"{path / OPTIONS_FILE}), use --overwrite or another --out."
                )


def _remove(path: Path) -> None:
    with write_errors(path):
        for name in _FILES:
            (path / name).unlink(missing_ok=True)
        for name in _FOLDERS:
            if (path / name).is_dir():
                shutil.rmtree(path / name)
