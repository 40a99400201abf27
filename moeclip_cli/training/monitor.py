"""Observation of a training: speed, metrics files, sample pictures and validation."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from moeclip_cli.inspection.thresholds import FALLBACK
from moeclip_cli.training.examples import Examples
from moeclip_cli.training.learner import Learner
from moeclip_cli.training.metrics_log import MetricsLog
from moeclip_cli.training.objective import PARTS
from moeclip_cli.training.pictures import choose_samples, save_sample
from moeclip_cli.training.run_folder import SAMPLES
from moeclip_cli.training.session import TrainingRun
from moeclip_cli.training.state import TrainingState
from moeclip_cli.training.validation import ValidationMetrics, measure, score_example


@dataclass(frozen=True)
class TrainingProgress:
    """The progress of a training after a step or a validation.

    Attributes:
        step: number of completed steps.
        steps: total number of steps.
        epoch: epoch of the step, from 1.
        losses: of this step, by the names in `PARTS`; empty after a validation.
        images_per_second: speed in this session.
        seconds_left: until the last step, without validation.
        validation: metrics after this step, if it was validated.
    """

    step: int
    steps: int
    epoch: int
    losses: dict[str, float]
    images_per_second: float
    seconds_left: float
    validation: ValidationMetrics | None = None


class Monitor:
    """Everything that observes a training and does not change it.

    Only the main process writes files.

    Args:
        run: the training.
        learner: its network.
        state: the state to start from.
        report: called after each step and each validation.

    Attributes:
        seconds: duration of the steps of this session.
        validation: metrics of the last validation in this session.

    Raises:
        UsageError: if a metrics file cannot be written.
        MissingExtraError: if TensorBoard is requested but not installed.
    """

    def __init__(
        self,
        run: TrainingRun,
        learner: Learner,
        state: TrainingState,
        report: Callable[[TrainingProgress], None],
    ) -> None:
        self._run, self._learner, self._report = run, learner, report
        self._steps = self._images = 0
        self.seconds = 0.0
        self.validation: ValidationMetrics | None = None
        self._log = None
        if run.folder is not None:
            validated = None if run.held_out is None else state.validated
            self._log = MetricsLog(
                run.path, state.step, validated, tensorboard=run.options.tensorboard
            )

    @contextmanager
    def timed_step(self, images: int) -> Iterator[None]:
        """Count the block as a step of this session, unless it raises.

        Args:
            images: number of images of the step, over all processes.
        """
        started = time.monotonic()
        yield
        self.seconds += time.monotonic() - started
        self._steps += 1
        self._images += images

    def record(self, state: TrainingState) -> None:
        """Write what is due after a step: a row of metrics.csv, sample pictures.

        Raises:
            UsageError: if a file cannot be written.
        """
        options = self._run.options
        if state.step % options.log_every == 0 or state.step == self._run.steps:
            losses = dict(zip(PARTS, state.pop_mean_losses(), strict=True))
            pace = {
                "learning_rate": self._run.config.rate_at(state.step - 1),
                "images_per_second": self._progress(state).images_per_second,
            }
            if self._log is not None:
                self._log.add_losses(state.step, self._run.epoch_of(state.step), losses, pace)
        if options.sample_every and state.step % options.sample_every == 0:
            self.draw_samples(state)

    def report(self, state: TrainingState, losses: Sequence[float]) -> None:
        """Report the losses of a step."""
        self._report(self._progress(state, losses))

    def validate(self, state: TrainingState, held_out: Examples) -> ValidationMetrics:
        """Measure the adapters on held-out images, in all processes together.

        Raises:
            DatasetError: if an image cannot be used.
            UsageError: if a file cannot be written.
        """
        mine = measure(self._learner, held_out, self._run.options.workers)
        measurements, *others = self._learner.engine.gather(mine)
        for other in others:
            measurements.merge(other)
        self.validation = measurements.summarise(self._run.config.false_alarms)
        if self._log is not None:
            self._log.add_validation(state.step, self._run.epoch_of(state.step), self.validation)
        self._report(self._progress(state, validation=self.validation))
        return self.validation

    def draw_samples(self, state: TrainingState) -> None:
        """Draw a few held-out images, or training images without validation.

        Raises:
            DatasetError: if an image cannot be used.
            UsageError: if a picture cannot be written.
        """
        if self._run.folder is None:
            return
        examples = self._run.held_out or self._run.training
        threshold = self.validation.threshold if self.validation else None
        self._learner.network.eval()
        for index in choose_samples(examples, self._run.options.samples):
            example = examples.load(index)
            score, probability = score_example(self._learner, example, examples.domain)
            path = self._run.path / SAMPLES / f"step_{state.step:06d}_{index:05d}.png"
            applied = FALLBACK if threshold is None else threshold
            save_sample(path, example, score, probability, applied)
        self._learner.network.train()

    def close(self) -> None:
        """Write buffered events."""
        if self._log is not None:
            self._log.close()

    def _progress(
        self,
        state: TrainingState,
        losses: Sequence[float] = (),
        validation: ValidationMetrics | None = None,
    ) -> TrainingProgress:
        steps_per_second = self._steps / max(self.seconds, 1e-9)
        left = self._run.steps - state.step
        return TrainingProgress(
            state.step,
            self._run.steps,
            self._run.epoch_of(state.step),
            dict(zip(PARTS, losses, strict=False)),
            self._images / max(self.seconds, 1e-9),
            left / steps_per_second if steps_per_second else 0.0,
            validation,
        )
