"""SIGINT and SIGTERM end a run cleanly."""

import os
from types import FrameType
from typing import cast

from lightning import Callback, LightningModule, Trainer
from typing_extensions import override

from anx.experiment.callbacks.validation import is_due
from anx.learners.base import Learner
from anx.signals import SIGNALS, handle, interrupt


class Interruption(Callback):
    """On a signal to any of the processes, finish the training step and stop.

    A second signal, and one to the final evaluation, raises `Interrupted` at once. In a thread other than the main one
    Python takes no handlers: signals go where they went before.
    """

    def __init__(self) -> None:
        self._received: int | None = None
        self._step = ""  # what the learner calls a step

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._received = number
        handle(interrupt)
        # Not through logging or a stream, which may be in the midst of a line.
        os.write(2, f"\nfinishing the {self._step}; a second signal ends the run at once\n".encode())

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._step = cast(Learner, pl_module).words.step
        handle(self._receive)  # here, since Lightning has put its own in place by now

    @override
    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: object) -> None:
        due = is_due(trainer)
        for number in SIGNALS:
            if trainer.strategy.reduce_boolean_decision(self._received == number, all=False):
                cast(Learner, pl_module).outcome.stopped_by = number
                trainer.should_stop = True
                if not due:
                    trainer.limit_val_batches = 0  # Lightning validates whenever it stops; a straight run would not now

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        handle(interrupt)

    @override
    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        handle(interrupt)
