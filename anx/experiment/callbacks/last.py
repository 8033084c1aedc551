"""The newest state of a run, from which it goes on."""

import time

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from typing_extensions import override

from anx.errors import LostError
from anx.experiment.callbacks.validation import is_due


class Last(Checkpoint):
    """Saves a checkpoint of the whole run every so many seconds, after every validation and at the training's end, and
    where the training ends since something that it needs is gone.

    After a validation and not right before it, since a run that goes on from there does not validate again. Lightning
    calls checkpoint callbacks after all others: what they have learned is in it.

    Args:
        path: of the checkpoint; it replaces the one of before.
        every: seconds.
    """

    def __init__(self, path: str, *, every: float = 30.0) -> None:
        if every < 0:
            raise ValueError(f"every={every} must be at least 0")
        self.path = path
        self.every = every
        self._saved = 0.0

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._saved = time.monotonic()

    @override
    def on_train_batch_end(self, trainer: Trainer, *args: object) -> None:
        late = time.monotonic() - self._saved >= self.every
        if trainer.strategy.broadcast(late) and not is_due(trainer):  # all processes save, or none
            self._save(trainer)

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._save(trainer)

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._save(trainer)

    @override
    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        if isinstance(exception, LostError):
            self._save(trainer)

    def _save(self, trainer: Trainer) -> None:
        trainer.save_checkpoint(self.path)
        self._saved = time.monotonic()
