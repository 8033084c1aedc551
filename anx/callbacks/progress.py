"""How a run is doing, on the terminal."""

import logging
import time
from typing import Any

from lightning import Callback, LightningModule, Trainer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from typing_extensions import override

log = logging.getLogger(__name__)


class Progress(Callback):
    """A bar with generation, best, mean, sigma, steps/s and the time left; lines where there is no terminal.

    Args:
        every: seconds between two lines where there is no terminal.
    """

    def __init__(self, every: float = 10.0) -> None:
        self.every = every
        self._bar: Bar | None = None
        self._last_line = 0.0

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        console = Console(stderr=True)
        if not trainer.is_global_zero or not console.is_terminal:
            return
        self._bar = Bar(
            TextColumn("generation"),
            MofNCompleteColumn(),
            BarColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=console,
        )
        self._task = self._bar.add_task("", total=trainer.max_steps, completed=trainer.global_step)
        self._bar.start()

    @override
    def on_train_batch_end(self, trainer: Trainer, *args: Any) -> None:
        if not trainer.is_global_zero:
            return
        text = describe(trainer)
        if self._bar is not None:
            self._bar.update(self._task, completed=trainer.global_step, description=text)
        elif time.monotonic() - self._last_line >= self.every:
            self._last_line = time.monotonic()
            log.info("generation %d/%d  %s", trainer.global_step, trainer.max_steps, text)

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._stop()

    @override
    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._stop()

    def _stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def describe(trainer: Trainer) -> str:
    """The metrics that matter, in one line."""
    shown = (
        ("best", "train/fitness_max", "{:.1f}"),
        ("mean", "train/fitness_mean", "{:.1f}"),
        ("sigma", "train/sigma", "{:.3g}"),
        ("steps/s", "perf/steps_per_second", "{:,.0f}"),
        ("plain", "validation/plain_mean", "{:.1f}"),
        ("shuffled", "validation/shuffled_mean", "{:.1f}"),
    )
    metrics = trainer.callback_metrics
    return "  ".join(f"{name} {form.format(float(metrics[key]))}" for name, key, form in shown if key in metrics)
