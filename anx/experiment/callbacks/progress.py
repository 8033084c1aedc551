"""How a run is doing, on the terminal."""

import logging
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import cast

from lightning import Callback, LightningModule, Trainer
from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar
from torch import Tensor
from typing_extensions import override

from anx.internal.lightning import seconds_left
from anx.learners.base import Learner, Metric
from anx.progress import clock

log = logging.getLogger(__name__)

BAR = 10  # characters
GAP = "  "


class Progress(Callback):
    """The step, the time left, and as many metrics as there is room for: a bar on a terminal, lines elsewhere.

    The learner says what a step is called and which metrics are shown.

    Args:
        every: seconds between two lines.
        console: to draw on; None: stderr.
    """

    def __init__(self, every: float = 10.0, console: Console | None = None) -> None:
        self.every = every
        self.console = console or Console(stderr=True)
        self._bar: Bar | None = None
        self._last_line = 0.0
        self._ends: deque[tuple[float, int]] = deque(maxlen=100)  # when steps ended, and which
        self._step = ""
        self._metrics: Sequence[Metric] = ()

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        learner = cast(Learner, pl_module)
        self._step, self._metrics = learner.words.step, learner.shown
        if not trainer.is_global_zero or not self.console.is_terminal or self.console.is_dumb_terminal:
            return
        columns = TextColumn("{task.fields[head]}"), BarColumn(BAR), TextColumn("{task.description}")
        self._bar = Bar(*columns, console=self.console)
        total = trainer.max_steps if trainer.max_steps > 0 else None
        self._task = self._bar.add_task("", total=total, completed=trainer.global_step, head=self._head(trainer))
        self._bar.start()

    @override
    def on_train_batch_start(self, trainer: Trainer, *args: object) -> None:
        if self._ends:  # by now the last step's metrics are there, and its validation's
            self._show(trainer)

    @override
    def on_train_batch_end(self, trainer: Trainer, *args: object) -> None:
        self._ends.append((time.monotonic(), trainer.global_step))

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._last_line = 0.0
        self._show(trainer)
        self._stop()

    @override
    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._stop()

    def _show(self, trainer: Trainer) -> None:
        if not trainer.is_global_zero:
            return
        head, values = self._head(trainer), trainer.callback_metrics
        if self._bar is not None:
            text = fit(self._metrics, values, self.console.width - len(head) - BAR - 2)
            self._bar.update(self._task, completed=trainer.global_step, head=head, description=text)
        elif time.monotonic() - self._last_line >= self.every:
            self._last_line = time.monotonic()
            log.info("%s%s%s", head, GAP, fit(self._metrics, values))

    def _head(self, trainer: Trainer) -> str:
        """The step and the time left, in few characters."""
        of = f"/{trainer.max_steps}" if trainer.max_steps > 0 else ""
        left = time_left(trainer, self._ends)
        return f"{self._step} {trainer.global_step}{of}" + ("" if left is None else f"{GAP}{clock(left)} left")

    def _stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def time_left(trainer: Trainer, ends: deque[tuple[float, int]]) -> float | None:
    """Seconds until the run has its steps, at the pace of the last ones, or its time; None if unknown."""
    estimates = [seconds_left(trainer)]
    if trainer.max_steps > 0 and len(ends) > 1:
        (then, first), (now, last) = ends[0], ends[-1]  # the first step, which compiles, ends where these begin
        estimates.append((trainer.max_steps - last) * (now - then) / (last - first))
    return min((each for each in estimates if each is not None), default=None)


def fit(metrics: Sequence[Metric], values: Mapping[str, Tensor], room: float = float("inf")) -> str:
    """The first metrics that have a value, as many as `room` characters hold."""
    text = ""
    for metric in metrics:
        if metric.key in values:
            longer = f"{text}{GAP if text else ''}{metric.label} {metric.form.format(float(values[metric.key]))}"
            if len(longer) > room:
                break
            text = longer
    return text
