"""SIGINT and SIGTERM end a run cleanly, and checkpoints are written whole or not at all."""

import logging
import os
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from lightning.fabric.plugins import TorchCheckpointIO
from typing_extensions import override

from anx.experiment.weights import read_checkpoint
from anx.files import whole
from anx.signals import SIGNALS, handle, interrupt

log = logging.getLogger(__name__)


class Interruption(Callback):
    """On a signal to any of the processes, finish the generation, save a checkpoint and stop; save one at the end, too.

    A second signal, and one to the final evaluation, raises `Interrupted` at once. In a thread other than the main one
    Python takes no handlers: signals go where they went before.

    Args:
        path: of the checkpoint.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.stopped_by: int | None = None  # the signal that has ended the training
        self._received: int | None = None

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._received = number
        handle(interrupt)
        # Not through logging or a stream, which may be in the midst of a line.
        os.write(2, b"\nfinishing the generation; a second signal ends the run at once\n")

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        handle(self._receive)  # here, since Lightning has put its own in place by now

    @override
    def on_train_batch_end(self, trainer: Trainer, *args: Any) -> None:
        for number in SIGNALS:
            if trainer.strategy.reduce_boolean_decision(self._received == number, all=False):
                self.stopped_by = number
                trainer.should_stop = True
                if trainer.val_check_batch and trainer.global_step % trainer.val_check_batch:
                    trainer.limit_val_batches = 0  # Lightning validates whenever it stops; a straight run would not now

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        trainer.save_checkpoint(self.path)
        handle(interrupt)

    @override
    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        handle(interrupt)


class WholeCheckpointIO(TorchCheckpointIO):
    """Writes beside the checkpoint and replaces it once the file is whole and on disk.

    Whatever happens while it writes, the checkpoint of before stays loadable. A full disk costs this checkpoint, not
    the run. Loading runs no code from the file.
    """

    @override
    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        path = Path(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole(path) as unfinished, unfinished.open("wb") as file:
                torch.save(checkpoint, file)
        except (OSError, RuntimeError) as error:  # torch reports a full disk as RuntimeError
            log.warning("checkpoint %s could not be written, the run goes on: %s", path, error)

    @override
    def load_checkpoint(self, path: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return read_checkpoint(path)
