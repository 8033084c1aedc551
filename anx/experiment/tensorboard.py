"""A run in TensorBoard."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import OmegaConf
from PIL import Image

from anx.errors import ConfigError
from anx.experiment.identity import RunFacts

WRITERS = ("tensorboard", "tensorboardX")  # Lightning takes either


@rank_zero_only
def make_tensorboard_logger(run: RunFacts, folder: str) -> TensorBoardLogger:
    """Metrics over generations, pictures of attention and the run's configuration, for `tensorboard --logdir`.

    Args:
        run: what it is told of the run.
        folder: of its files; a run that goes on adds a file.

    Raises:
        ConfigError: there is nothing installed that writes such files.
    """
    if not any(find_spec(each) for each in WRITERS):
        raise ConfigError("logger=tensorboard needs TensorBoard: pip install 'anx[tensorboard]'")
    logger = TensorBoardLogger(folder, name="", version="", default_hp_metric=False)
    for name, facts in (("config", run.config), ("identity", run.identity)):
        logger.experiment.add_text(name, f"```yaml\n{OmegaConf.to_yaml(OmegaConf.create(facts))}```")
    return logger


@rank_zero_only
def add_picture(logger: TensorBoardLogger, key: str, path: Path, step: int) -> None:
    """Log a picture's file."""
    with Image.open(path) as picture:
        logger.experiment.add_image(key, np.asarray(picture.convert("RGB")), step, dataformats="HWC")


@rank_zero_only
def finish_tensorboard(logger: TensorBoardLogger, reason: str | None) -> None:
    """Write what is still to be written, and why the run failed, if it did."""
    if reason is not None:
        logger.experiment.add_text("error", reason)
    logger.experiment.close()
