"""SIGINT and SIGTERM end a run cleanly, and checkpoints are written whole or not at all."""

import logging
import signal
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from lightning.fabric.plugins import TorchCheckpointIO
from typing_extensions import override

from anx.files import whole
from anx.interop import read_checkpoint

log = logging.getLogger(__name__)


class Interruption(Callback):
    """On a signal to any of the processes, finish the generation, save a checkpoint and stop; save one at the end, too.

    A second signal does what it did before this callback.

    Args:
        path: of the checkpoint.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self, path: str) -> None:
        self.path = path
        self.interrupted = False
        self._received: int | None = None
        self._handlers: dict[int, Any] = {}

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._received = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._handlers = {number: signal.signal(number, self._receive) for number in self.SIGNALS}

    @override
    def on_train_batch_end(self, trainer: Trainer, *args: Any) -> None:
        if trainer.strategy.reduce_boolean_decision(self._received is not None, all=False):
            self.interrupted = True
            trainer.should_stop = True

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        trainer.save_checkpoint(self.path)
        self._restore()

    @override
    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._restore()


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
