"""Saving and restoring the state of a training, and writing its adapters as checkpoints."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from moeclip_cli.checkpoints.checkpoint import write_checkpoint
from moeclip_cli.checkpoints.configuration import CheckpointConfig
from moeclip_cli.errors import ModelError
from moeclip_cli.files import write_errors
from moeclip_cli.training.learner import Learner
from moeclip_cli.training.objective import PARTS
from moeclip_cli.training.run_folder import EPOCHS, MODEL_FILE, STATE_FILE
from moeclip_cli.training.session import TrainingRun
from moeclip_cli.training.state import TrainingState, read_state, write_state
from moeclip_cli.training.validation import ValidationMetrics


class Checkpointer:
    """Files with the tensors of a training; only the main process writes them.

    Args:
        run: the training.
        learner: its network and optimiser.
    """

    def __init__(self, run: TrainingRun, learner: Learner) -> None:
        self._run = run
        self._learner = learner
        self._saved_at = time.monotonic()

    def restore(self) -> TrainingState:
        """The state to start from: the saved one of a resumed training, else step 0.

        Raises:
            ModelError: if the state file is corrupt, of another version, or of another backbone.
        """
        if not self._run.resumed:
            return TrainingState(0, {}, {}, recent=[0.0] * len(PARTS))
        state = read_state(self._run.path / STATE_FILE)
        try:
            self._learner.network.adapters.load_state_dict(state.adapters)
        except RuntimeError as error:  # another version of moeclip, with another built-in backbone
            raise ModelError(
                f"{self._run.path / STATE_FILE} does not fit the backbone, which was another file "
                "then; use `overwrite` to train from the beginning."
            ) from error
        self._learner.adam.load_state_dict(state.optimiser)
        scaler = self._learner.engine.accelerator.scaler
        if scaler is not None and state.scaler:
            scaler.load_state_dict(state.scaler)
        return state

    def save_if_due(self, state: TrainingState) -> None:
        """Save if the last save is `save_minutes` ago.

        Raises:
            UsageError: if a file cannot be written.
        """
        if time.monotonic() - self._saved_at > 60 * self._run.options.save_minutes:
            self.save(state)

    def save(self, state: TrainingState) -> None:
        """Write the state, and without validation the model; each file is replaced atomically.

        Raises:
            UsageError: if a file cannot be written.
        """
        self._saved_at = time.monotonic()
        if self._run.folder is None:
            return
        state.adapters = self._learner.network.adapters.state_dict()
        state.optimiser = self._learner.adam.state_dict()
        scaler = self._learner.engine.accelerator.scaler
        if scaler is not None:
            state.scaler = scaler.state_dict()
        write_state(self._run.path / STATE_FILE, state)
        if self._run.held_out is None and state.step:
            self._write(self._run.path / MODEL_FILE, state, None)

    def write_models(
        self, state: TrainingState, validation: ValidationMetrics | None, *, best: bool
    ) -> None:
        """Write the adapters at the end of an epoch.

        Args:
            state: at the end of the epoch.
            validation: metrics of these adapters, if there is validation.
            best: whether they are the best so far and become the result.

        Raises:
            UsageError: if a file cannot be written.
        """
        if self._run.folder is None:
            return
        if self._run.options.keep_epochs:
            name = f"epoch_{self._run.epoch_of(state.step):02d}.safetensors"
            self._write(self._run.path / EPOCHS / name, state, validation)
        if best:
            self._write(self._run.path / MODEL_FILE, state, validation)

    def _datasets(self) -> list[dict[str, str]]:
        """The datasets that the adapters have seen, and for what."""
        training = self._run.training.source
        held_out = None if self._run.held_out is None else self._run.held_out.source
        seen = [] if training is None else [{"use": "training", **training}]
        if held_out not in (None, training):
            seen.append({"use": "validation", **held_out})
        return seen

    def _write(
        self, path: Path, state: TrainingState, validation: ValidationMetrics | None
    ) -> None:
        config = self._run.config
        facts: dict[str, Any] = {
            "step": state.step,
            "epoch": self._run.epoch_of(state.step),
            "images": len(self._run.training),
            "datasets": self._datasets(),
        }
        threshold = None
        if validation is not None:
            threshold = validation.describe_threshold(
                config.val_data or config.data, config.false_alarms
            )
            facts["validation"] = asdict(validation)
        settings = config.to_dict()
        del settings["network"]
        checkpoint = CheckpointConfig(
            network=config.network,
            backbone=self._run.backbone,
            domain=self._run.training.domain,
            threshold=threshold,
            training=facts | {"settings": settings},
        )
        with write_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_checkpoint(path, checkpoint, self._learner.network.adapters.state_dict())
