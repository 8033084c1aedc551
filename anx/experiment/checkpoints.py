"""How checkpoints get to disk: whole, or not at all."""

import logging
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO
from typing_extensions import override

from anx.experiment.files.weights import read_checkpoint
from anx.files import whole

log = logging.getLogger(__name__)


class WholeCheckpointIO(TorchCheckpointIO):
    """Writes beside the checkpoint and replaces it once the file is whole and on disk.

    Whatever happens while it writes, the checkpoint of before stays loadable. A full disk costs this checkpoint, not
    the run. Loading runs no code from the file.
    """

    @override
    def save_checkpoint(self, checkpoint: dict[str, object], path: str | Path, storage_options: object = None) -> None:
        path = Path(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole(path) as unfinished, unfinished.open("wb") as file:
                torch.save(checkpoint, file)
        except (OSError, RuntimeError) as error:  # torch reports a full disk as RuntimeError
            log.warning("checkpoint %s could not be written, the run goes on: %s", path, error)

    @override
    def load_checkpoint(self, path: str | Path, *args: object, **kwargs: object) -> dict[str, Any]:
        return read_checkpoint(path)
