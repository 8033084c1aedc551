"""A run in TensorBoard."""

import json
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from PIL import Image
from typing_extensions import override

from anx.errors import ConfigError
from anx.experiment.loggers.base import COLUMNS, RunLogger, figures_in, rows_of
from anx.rollout.evaluation import Statistics
from anx.views.table import Table, to_markdown

WRITERS = ("tensorboard", "tensorboardX")  # Lightning takes either


class TensorBoardRun(RunLogger, TensorBoardLogger):
    """Metrics over steps of the training, pictures and the run's configuration, for `tensorboard --logdir runs`.

    Args:
        folder: of its files, one each time a run starts: one that goes on adds a file.

    Raises:
        ConfigError: there is nothing installed that writes such files.
    """

    def __init__(self, folder: str) -> None:
        if not any(find_spec(each) for each in WRITERS):
            raise ConfigError("logger=tensorboard needs TensorBoard: pip install 'anx[tensorboard]'")
        # tensorboardX names a file by the second and writes over what has that name.
        start = f".{time.time_ns()}"
        super().__init__(folder, name="", version="", default_hp_metric=False, filename_suffix=start)

    @override
    @rank_zero_only
    def log_hyperparams(self, params: Mapping[str, object], metrics: object = None, step: int | None = None) -> None:  # type: ignore[override]
        """The configuration as a text, a key each: TensorBoard's own table of hyperparameters is flat."""
        for key, value in params.items():
            self.experiment.add_text(f"config/{key}", f"```json\n{json.dumps(value, indent=2)}\n```")

    @override
    @rank_zero_only
    def log_picture(self, name: str, path: Path, step: int) -> None:
        with Image.open(path) as picture:
            self.experiment.add_image(name, np.asarray(picture.convert("RGB")), step, dataformats="HWC")

    @override
    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Lightning's training or test is over, the run is not: what it still logs belongs in the same file."""
        self.experiment.flush()

    @override
    @rank_zero_only
    def log_outcome(self, run_dir: Path, results: Mapping[str, Statistics], step: int) -> None:
        """The final evaluation as a table, and the figures."""
        rows = [[str(cell) for cell in row] for row in rows_of(results)]
        self.experiment.add_text("final", to_markdown(Table(COLUMNS, rows, "lrrrr")), step)
        for name, path in figures_in(run_dir).items():
            self.log_picture(name, path, step)

    @override
    @rank_zero_only
    def end(self, reason: str | None) -> None:
        if reason is not None:
            self.experiment.add_text("error", reason)
        self.experiment.close()
