"""The training loop: from a configuration to a checkpoint, resumable at any step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from moeclip_cli.checkpoints.configuration import CheckpointConfig
from moeclip_cli.errors import DatasetError, ModelError, MoeclipError
from moeclip_cli.images.pipeline import prefetch
from moeclip_cli.inspection.device import ran_out_of_memory
from moeclip_cli.inspection.thresholds import FALLBACK
from moeclip_cli.parallel.world import process_count
from moeclip_cli.training.engine import start_engine, tower_dtype
from moeclip_cli.training.examples import Batch, Example, Examples, prepare, to_batch
from moeclip_cli.training.interruption import Interruption, deferred_interrupts
from moeclip_cli.training.objective import (
    PARTS,
    Objective,
    TextReader,
    Weights,
    recompute_activations,
)
from moeclip_cli.training.optimiser import AdapterAdam
from moeclip_cli.training.order import Order
from moeclip_cli.training.output import Output
from moeclip_cli.training.pictures import choose_samples, save_sample
from moeclip_cli.training.run_folder import (
    EPOCHS,
    MODEL_FILE,
    SAMPLES,
)
from moeclip_cli.training.setup import Setup
from moeclip_cli.training.state import STATE_FILE, TrainingState, read_state, write_state
from moeclip_cli.training.validation import Validation, measure, score_example

if TYPE_CHECKING:
    from accelerate import Accelerator

_DROPOUT = 3


@dataclass(frozen=True)
class Progress:
    """Where a training stands.

    Attributes:
        step: steps done.
        steps: steps that there will be.
        epoch: number of the epoch that the step belongs to, from 1.
        losses: of this step, by the names in `PARTS`.
        images_per_second: in this session.
        seconds_left: until the last step; validation is not counted.
        validation: what was measured after this step, if it was.
    """

    step: int
    steps: int
    epoch: int
    losses: dict[str, float]
    images_per_second: float
    seconds_left: float
    validation: Validation | None = None


def train(setup: Setup, report: Callable[[Progress], None]) -> dict[str, Any]:
    """Train until the last step; returns a summary.

    Raises:
        KeyboardInterrupt: after saving, if a signal asked the training to stop.
        MoeclipError: after saving, if an image cannot be used, memory runs out or the loss is not
            finite; without, if a file cannot be written. The last state stays whole.
    """
    devices = [setup.device] if setup.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices), deferred_interrupts() as interruption:
        return Trainer(setup, report, interruption).run()


class Trainer:
    """One training in this process, see `train`."""

    def __init__(
        self, setup: Setup, report: Callable[[Progress], None], interruption: Interruption
    ) -> None:
        self.setup, self.report, self.interruption = setup, report, interruption
        config = self.config = setup.config
        self.engine: Accelerator = start_engine(setup.device, config.precision, config.accumulate)
        self.processes = process_count()
        network = self.network = setup.network
        network.backbone.visual.to(tower_dtype(config.precision))
        network.to(setup.device)
        if config.checkpoint_activations:
            recompute_activations(network)
        self.read = TextReader(network)
        self.adam = AdapterAdam(
            network.adapters,
            config.learning_rate,
            (config.beta1, config.beta2),
            all_experts_used=config.etf_weight > 0,
        )
        weights = Weights(config.balance_weight, config.etf_weight)
        together = self._sum if self.processes > 1 else None
        objective = Objective(network, weights, together, self.processes)
        self.objective, self.optimiser = self.engine.prepare(objective, self.adam)
        self.order = Order(len(setup.training), config.batch_size, config.seed)
        whole = config.epochs * self.order.steps_per_epoch
        self.steps = whole if config.max_steps is None else min(whole, config.max_steps)
        self.state = TrainingState(0, {}, {}, recent=[0.0] * len(PARTS))
        if setup.resumed:
            self._restore(read_state(setup.path / STATE_FILE))
        self.validation: Validation | None = None
        self.done_here, self.seconds = 0, 0.0
        self.updating = False
        self.saved_at = time.monotonic()
        self.output = None
        if setup.folder is not None:
            self.output = Output(
                setup.path,
                self.state.step,
                self.state.validated if setup.held_out is not None else None,
                tensorboard=setup.habits.tensorboard,
            )

    def run(self) -> dict[str, Any]:
        """Train until the last step; returns a summary."""
        try:
            while True:
                if self._validation_is_due():
                    self._end_epoch()
                if self.state.step >= self.steps:
                    break
                self._run_epoch(self.state.step // self.order.steps_per_epoch)
        except _BetweenStepsError as error:
            if not self.updating:
                self._save()
            raise error.reason from None
        return self._finish()

    def _run_epoch(self, epoch: int) -> None:
        """The rest of an epoch, as far as the training goes."""
        per_epoch = self.order.steps_per_epoch
        done = self.state.step - epoch * per_epoch
        left = min(per_epoch - done, self.steps - self.state.step)
        rank = self.engine.process_index
        todo = self.order.step_indices(epoch, rank, self.processes)[done : done + left]
        loaded = self._load(epoch, [index for step in todo for index in step])
        for indices in todo:
            started = time.monotonic()
            examples = self._next(loaded, len(indices))
            losses = self._step_or_explain(examples)
            self.seconds += time.monotonic() - started
            self._after_step(losses, epoch)

    def _load(self, epoch: int, indices: list[int]) -> Iterator[tuple[Tensor, Tensor, Example]]:
        setup, seed = self.setup, self.config.seed

        def load(index: int) -> tuple[Tensor, Tensor, Example]:
            return prepare(setup.training, index, epoch, self.config.augmentation, seed)

        ahead = 2 * self.config.batch_size + setup.habits.workers
        return prefetch(indices, load, workers=setup.habits.workers, ahead=ahead)

    def _next(
        self, loaded: Iterator[tuple[Tensor, Tensor, Example]], count: int
    ) -> list[tuple[Tensor, Tensor, Example]]:
        """The next images, once all processes have theirs and nobody asked to stop."""
        examples: list[tuple[Tensor, Tensor, Example]] = []
        failure = None
        try:
            examples = list(islice(loaded, count))
        except DatasetError as error:
            failure = error
        stopped, failed = self._any(self.interruption.requested, failure is not None)
        if failure is not None:
            raise _BetweenStepsError(failure)
        if failed:
            raise _BetweenStepsError(DatasetError("Another process could not read its images."))
        if stopped:
            raise _BetweenStepsError(KeyboardInterrupt())
        return examples

    def _step_or_explain(self, examples: list[tuple[Tensor, Tensor, Example]]) -> list[float]:
        try:
            return self._step(examples)
        except RuntimeError as error:
            if not ran_out_of_memory(error):
                raise
        # Outside the except block, where the failed step's tensors are freed.
        size, config = self.config.network.image_size, self.config
        raise _BetweenStepsError(
            ModelError(
                f"There is not enough memory on {self.setup.device} for batches of "
                f"{config.batch_size // config.accumulate // self.processes} at {size} px; use "
                "--checkpoint-activations, --precision bf16, a higher --accumulate, a smaller "
                "--batch-size or a smaller --image-size."
            )
        )

    def _step(self, examples: list[tuple[Tensor, Tensor, Example]]) -> list[float]:
        """One update; returns the losses of the whole batch."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.rate_at(self.state.step)
        parts = self.config.accumulate
        size = len(examples) // parts
        losses = torch.zeros(len(PARTS), device=self.setup.device)
        for part in range(parts):
            batch = to_batch(examples[part * size : (part + 1) * size])
            torch.manual_seed(self._dropout_seed(part))
            with self.engine.accumulate(self.objective):
                found = self._forward(batch)
                together = self._mean(found.detach())
                if not torch.isfinite(together).all():
                    raise self._not_finite()
                self.engine.backward(found[0])
                if self.engine.sync_gradients:
                    self.adam.share_out_gradients()
                self.updating = True
                self.optimiser.step()
                self.updating = False
                self.optimiser.zero_grad()
            losses += together / parts
        values: list[float] = losses.tolist()
        return values

    def _forward(self, batch: Batch) -> Tensor:
        device = self.setup.device
        found: Tensor = self.objective(
            batch.images.to(device),
            batch.masks.to(device),
            batch.labels.to(device),
            self.read(batch.prompts),
        )
        return found

    def _dropout_seed(self, part: int) -> int:
        numbers = [self.config.seed, _DROPOUT, self.state.step, self.engine.process_index, part]
        return int(np.random.SeedSequence(numbers).generate_state(1)[0])

    def _not_finite(self) -> _BetweenStepsError:
        self.adam.zero_grad()
        return _BetweenStepsError(
            ModelError(
                f"The loss of step {self.state.step + 1} is not a finite number; use a lower "
                "--learning-rate or --precision fp32."
            )
        )

    def _after_step(self, losses: list[float], epoch: int) -> None:
        state, habits = self.state, self.setup.habits
        state.step += 1
        state.recent = [a + b for a, b in zip(state.recent, losses, strict=True)]
        state.recent_steps += 1
        self.done_here += 1
        progress = self._progress(losses, epoch)
        if state.step % habits.log_every == 0 or state.step == self.steps:
            means = [total / state.recent_steps for total in state.recent]
            if self.output is not None:
                pace = {
                    "learning_rate": self.config.rate_at(state.step - 1),
                    "images_per_second": progress.images_per_second,
                }
                losses_now = dict(zip(PARTS, means, strict=True))
                self.output.log(state.step, epoch + 1, losses_now, pace)
            state.recent, state.recent_steps = [0.0] * len(PARTS), 0
        if habits.sample_every and state.step % habits.sample_every == 0:
            self._draw_samples()
        if time.monotonic() - self.saved_at > 60 * habits.save_minutes:
            self._save()
        self.report(progress)

    def _progress(
        self, losses: list[float], epoch: int, validation: Validation | None = None
    ) -> Progress:
        pace = self.done_here / max(self.seconds, 1e-9)
        return Progress(
            self.state.step,
            self.steps,
            epoch + 1,
            dict(zip(PARTS, losses, strict=False)),
            pace * self.config.batch_size,
            (self.steps - self.state.step) / pace if pace else 0.0,
            validation,
        )

    def _validation_is_due(self) -> bool:
        step = self.state.step
        at_end = step % self.order.steps_per_epoch == 0 or step >= self.steps
        return step > 0 and at_end and self.state.validated != step

    def _end_epoch(self) -> None:
        """Validate, keep the best adapters, draw pictures, save."""
        state, held_out = self.state, self.setup.held_out
        epoch = math.ceil(state.step / self.order.steps_per_epoch)
        self._save()
        best = True
        if held_out is not None:
            validation = self.validation = self._validate(held_out)
            best = state.best_measure is None or validation.measure > state.best_measure
            if best:
                state.best_measure, state.best_epoch = validation.measure, epoch
            if self.output is not None:
                self.output.log_validation(state.step, epoch, validation)
            self.report(self._progress([], epoch - 1, validation))
        state.validated = state.step
        if self.setup.habits.sample_every is None:
            self._draw_samples()
        if self.setup.habits.keep_epochs:
            self._write_model(self.setup.path / EPOCHS / f"epoch_{epoch:02d}.safetensors", epoch)
        if best:
            self._write_model(self.setup.path / MODEL_FILE, epoch)
        self._save()

    def _validate(self, held_out: Examples) -> Validation:
        share = (self.engine.process_index, self.processes)
        found = measure(
            self.network,
            self.read,
            held_out,
            share=share,
            workers=self.setup.habits.workers,
            precision=self._autocast,
        )
        if self.processes > 1:
            from accelerate.utils import gather_object

            shares = gather_object([found])
            found = shares[0]
            for other in shares[1:]:
                found.merge(other)
        return found.summarise(self.config.false_alarms)

    def _draw_samples(self) -> None:
        if self.output is None:
            return
        examples = self.setup.held_out or self.setup.training
        cut = self.validation.threshold if self.validation else None
        self.network.eval()
        for index in choose_samples(examples, self.setup.habits.samples):
            example = examples.load(index)
            found = score_example(self.network, self.read, example, examples, self._autocast)
            name = f"step_{self.state.step:06d}_{index:05d}.png"
            path = self.setup.path / SAMPLES / name
            save_sample(path, example, *found, FALLBACK if cut is None else cut)
        self.network.train()

    def _write_model(self, path: Path, epoch: int) -> None:
        if self.output is None:
            return
        config, validation = self.config, self.validation
        threshold = None
        if validation is not None:
            data = config.val_data or config.data
            threshold = validation.describe_threshold(data, config.false_alarms)
        facts: dict[str, Any] = {
            "step": self.state.step,
            "epoch": epoch,
            "images": len(self.setup.training),
        }
        if validation is not None:
            facts |= {"validation": asdict(validation)}
        settings = config.to_dict()
        del settings["network"]
        written = CheckpointConfig(
            network=config.network,
            backbone=self.setup.backbone,
            domain=self.setup.training.domain,
            threshold=threshold,
            training=facts | {"settings": settings},
        )
        self.output.write_model(path, written, self.network.adapters.state_dict())

    def _save(self) -> None:
        """Write the state; whatever happens, a whole one is there."""
        self.saved_at = time.monotonic()
        if self.output is None:
            return
        self.state.adapters = self.network.adapters.state_dict()
        self.state.optimiser = self.adam.state_dict()
        if self.engine.scaler is not None:
            self.state.scaler = self.engine.scaler.state_dict()
        write_state(self.setup.path / STATE_FILE, self.state)
        if self.setup.held_out is None and self.state.step:
            epoch = math.ceil(self.state.step / self.order.steps_per_epoch)
            self._write_model(self.setup.path / MODEL_FILE, epoch)

    def _restore(self, state: TrainingState) -> None:
        self.network.adapters.load_state_dict(state.adapters)
        self.adam.load_state_dict(state.optimiser)
        if self.engine.scaler is not None and state.scaler:
            self.engine.scaler.load_state_dict(state.scaler)
        self.state = state

    def _finish(self) -> dict[str, Any]:
        state = self.state
        summary = {
            "steps": state.step,
            "images": state.step * self.config.batch_size,
            "seconds_here": round(self.seconds, 1),
            "best_epoch": state.best_epoch,
            "best_measure": state.best_measure,
        }
        if self.setup.folder is not None:
            self.setup.folder.card.finish(summary)
        if self.output is not None:
            self.output.close()
        return summary

    def _autocast(self) -> AbstractContextManager[object]:
        context: AbstractContextManager[object] = self.engine.autocast()
        return context

    def _sum(self, values: Tensor) -> Tensor:
        total: Tensor = self.engine.reduce(values, reduction="sum")
        return total

    def _mean(self, values: Tensor) -> Tensor:
        return self._sum(values) / self.processes if self.processes > 1 else values

    def _any(self, *flags: bool) -> list[bool]:
        """For each flag, whether any process has it."""
        if self.processes == 1:
            return list(flags)
        total = self._sum(torch.tensor(flags, dtype=torch.float32, device=self.setup.device))
        return [bool(value) for value in total > 0]


class _BetweenStepsError(Exception):
    """What ends the training between two steps, so that its state can be saved."""

    def __init__(self, reason: MoeclipError | KeyboardInterrupt) -> None:
        super().__init__(str(reason))
        self.reason = reason
