"""The training loop: from a prepared run to a checkpoint, resumable after any step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from moeclip_cli.errors import DatasetError, ModelError, MoeclipError
from moeclip_cli.images.pipeline import prefetch
from moeclip_cli.parallel.memory import ran_out_of_memory
from moeclip_cli.training.batch import Batch, blank_batch, prepare, to_batch
from moeclip_cli.training.checkpointer import Checkpointer
from moeclip_cli.training.examples import Example
from moeclip_cli.training.interruption import Interruption, deferred_interrupts
from moeclip_cli.training.learner import Learner, build_learner
from moeclip_cli.training.monitor import Monitor, TrainingProgress
from moeclip_cli.training.objective import PARTS
from moeclip_cli.training.order import Part, parts_of
from moeclip_cli.training.session import TrainingRun
from moeclip_cli.training.state import TrainingState

_DROPOUT = 3


def train(run: TrainingRun, report: Callable[[TrainingProgress], None]) -> dict[str, Any]:
    """Train until the last step, and close the output folder.

    Args:
        run: the training.
        report: called after each step and each validation.

    Returns:
        The summary of the run card.

    Raises:
        KeyboardInterrupt: after saving, if a signal requested the end of the training.
        MoeclipError: after saving, if an image cannot be used, memory runs out or the loss is not
            finite; without saving, if a file cannot be written. The last saved state stays intact.
    """
    devices = [run.device] if run.device.type == "cuda" else []
    with (
        run.folder or nullcontext(),
        torch.random.fork_rng(devices=devices),
        deferred_interrupts() as interruption,
    ):
        learner = build_learner(run.config, run.network, run.device)
        checkpointer = Checkpointer(run, learner)
        state = checkpointer.restore()
        monitor = Monitor(run, learner, state, report)
        return Trainer(run, learner, state, checkpointer, monitor, interruption).run()


class Trainer:
    """The loop of one training in this process, see `train`.

    Args:
        run: the training.
        learner: its network, losses and optimiser.
        state: the state to start from, in `learner` already.
        checkpointer: saves the state and writes the model.
        monitor: validates, and writes metrics and pictures.
        interruption: request to end the training.
    """

    def __init__(
        self,
        run: TrainingRun,
        learner: Learner,
        state: TrainingState,
        checkpointer: Checkpointer,
        monitor: Monitor,
        interruption: Interruption,
    ) -> None:
        self._run, self._config, self._state = run, run.config, state
        self._learner, self._engine = learner, learner.engine
        self._checkpointer, self._monitor = checkpointer, monitor
        self._interruption = interruption
        self._updating = False

    def run(self) -> dict[str, Any]:
        """Train until the last step; returns a summary."""
        state = self._state
        try:
            while True:
                if self._is_end_of_epoch() and state.validated != state.step:
                    self._end_epoch()
                if state.step >= self._run.steps:
                    break
                self._epoch(state.step // self._run.order.steps_per_epoch)
        except _BetweenStepsError as error:
            if not self._updating:
                self._checkpointer.save(state)
            raise error.reason from None
        return self._finish()

    def _epoch(self, epoch: int) -> None:
        """Train on the remaining steps of an epoch, counted from 0."""
        steps = self._remaining_steps(epoch)
        loaded = self._load(epoch, [index for step in steps for index in step])
        for indices in steps:
            with self._monitor.timed_step(self._run.order.images_of(self._state.step)):
                losses = self._step_or_explain(self._next(loaded, len(indices)))
            self._state.add(losses)
            self._updating = False
            self._monitor.record(self._state)
            self._checkpointer.save_if_due(self._state)
            self._monitor.report(self._state, losses)

    def _step(self, examples: list[tuple[Tensor, Tensor, Example]]) -> list[float]:
        """Update the adapters once; returns the losses of the whole batch, the `PARTS`."""
        learner, accelerator = self._learner, self._engine.accelerator
        for group in learner.optimiser.param_groups:
            group["lr"] = self._config.rate_at(self._state.step)
        parts = self._parts()
        total = torch.zeros(len(PARTS), device=self._engine.device)
        for number, part in enumerate(parts):
            batch = self._batch(examples[part.images])
            torch.manual_seed(self._dropout_seed(number))
            with accelerator.accumulate(learner.objective):
                text = learner.read(batch.prompts)
                losses = learner.objective(
                    batch.images, batch.masks, batch.labels, text, part.weight, part.weight_of_all
                )
                mean = self._engine.mean(losses.detach())
                if not torch.isfinite(mean).all():
                    raise self._not_finite()
                accelerator.backward(losses[0])
                if accelerator.sync_gradients:
                    learner.adam.share_out_gradients()
                    # Until the step is counted: with these adapters, it would be done twice.
                    self._updating = True
                learner.optimiser.step()
                learner.optimiser.zero_grad()
            total += mean / len(parts)
        values: list[float] = total.tolist()
        return values

    def _parts(self) -> list[Part]:
        """The accumulated parts of this process's images of the next step."""
        images = self._run.order.images_of(self._state.step)
        engine = self._engine
        return parts_of(images, self._config.accumulate, engine.rank, engine.processes)

    def _batch(self, examples: list[tuple[Tensor, Tensor, Example]]) -> Batch:
        """The examples on the device; a blank image without any, whose losses weigh nothing."""
        # Every process has to compute: the gradients of all are exchanged.
        batch = to_batch(examples) if examples else blank_batch(self._config.network.image_size)
        return batch.to(self._engine.device)

    def _end_epoch(self) -> None:
        """Validate, draw pictures, keep the best adapters, save."""
        state = self._state
        self._checkpointer.save(state)
        validation, best = None, True
        if self._run.held_out is not None:
            validation = self._monitor.validate(state, self._run.held_out)
            best = state.best_measure is None or validation.measure > state.best_measure
            if best:
                state.best_measure = validation.measure
                state.best_epoch = self._run.epoch_of(state.step)
        state.validated = state.step
        if self._run.options.sample_every is None:
            self._monitor.draw_samples(state)
        self._checkpointer.write_models(state, validation, best=best)
        self._checkpointer.save(state)

    def _finish(self) -> dict[str, Any]:
        state = self._state
        summary = {
            "steps": state.step,
            "images": self._run.order.images_before(state.step),
            "seconds_here": round(self._monitor.seconds, 1),
            "best_epoch": state.best_epoch,
            "best_measure": state.best_measure,
        }
        self._monitor.close()
        if self._run.folder is not None:
            self._run.folder.finish(summary)
        return summary

    def _is_end_of_epoch(self) -> bool:
        step = self._state.step
        at_end = step % self._run.order.steps_per_epoch == 0 or step >= self._run.steps
        return step > 0 and at_end

    def _remaining_steps(self, epoch: int) -> list[list[int]]:
        """The images of this process in every step of an epoch that is not done yet."""
        steps = self._run.order.step_indices(epoch, self._engine.rank, self._engine.processes)
        first = epoch * self._run.order.steps_per_epoch
        return steps[self._state.step - first : self._run.steps - first]

    def _load(self, epoch: int, indices: list[int]) -> Iterator[tuple[Tensor, Tensor, Example]]:
        """Examples in this order, loaded ahead in threads."""

        def load(index: int) -> tuple[Tensor, Tensor, Example]:
            config = self._config
            return prepare(self._run.training, index, epoch, config.augmentation, config.seed)

        workers = self._run.options.workers
        return prefetch(indices, load, workers=workers, ahead=2 * self._config.batch_size + workers)

    def _next(
        self, loaded: Iterator[tuple[Tensor, Tensor, Example]], count: int
    ) -> list[tuple[Tensor, Tensor, Example]]:
        """The next examples, once all processes have theirs.

        Raises:
            _BetweenStepsError: in all processes, if one of them was interrupted or could not read
                an image.
        """
        examples: list[tuple[Tensor, Tensor, Example]] = []
        failure = None
        try:
            examples = list(islice(loaded, count))
        except DatasetError as error:
            failure = error
        stopped, failed = self._engine.any(self._interruption.requested, failure is not None)
        if failure is not None:
            raise _BetweenStepsError(failure)
        if failed:
            raise _BetweenStepsError(DatasetError("Another process could not read its images."))
        if stopped:
            raise _BetweenStepsError(self._interruption.error())
        return examples

    def _step_or_explain(self, examples: list[tuple[Tensor, Tensor, Example]]) -> list[float]:
        """`_step`, with a remedy if memory runs out."""
        try:
            return self._step(examples)
        except (RuntimeError, MemoryError) as error:
            if not ran_out_of_memory(error):
                raise
        # Outside the except block, where the tensors of the failed step are freed.
        size, config = self._config.network.image_size, self._config
        raise _BetweenStepsError(
            ModelError(
                f"There is not enough memory on {self._engine.device} for batches of "
                f"{config.batch_size // config.accumulate // self._engine.processes} at {size} px; "
                "use `checkpoint_activations`, `precision` bf16, a higher `accumulate`, a smaller "
                "`batch_size` or a smaller `image_size`."
            )
        )

    def _dropout_seed(self, part: int) -> int:
        numbers = [self._config.seed, _DROPOUT, self._state.step, self._engine.rank, part]
        return int(np.random.SeedSequence(numbers).generate_state(1)[0])

    def _not_finite(self) -> _BetweenStepsError:
        self._learner.adam.zero_grad()
        return _BetweenStepsError(
            ModelError(
                f"The loss of step {self._state.step + 1} is not a finite number; use a lower "
                "`learning_rate` or `precision` fp32."
            )
        )


class _BetweenStepsError(Exception):
    """An error that ends the training between two steps, so that its state can be saved."""

    def __init__(self, reason: MoeclipError | KeyboardInterrupt) -> None:
        super().__init__(str(reason))
        self.reason = reason
