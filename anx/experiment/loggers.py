"""Where metrics go, one contract for all of it.

A logger is any of Lightning's, or what a factory makes of it: `logger.NAME` names the class or the factory. One that
takes an argument `run` gets the run's facts. Two things are asked of a logger besides what Lightning asks: to take a
picture, and to end. A type of loggers that can, says how:

    @log_image.register
    def _(logger: MyLogger, key: str, path: Path, step: int) -> None: ...

    @finish.register
    def _(logger: MyLogger, reason: str | None) -> None: ...

Any other is given metrics alone.
"""

import functools
from collections.abc import Iterable, Mapping
from pathlib import Path

from hydra.utils import instantiate
from lightning.pytorch.loggers import Logger, TensorBoardLogger, WandbLogger
from omegaconf import DictConfig

from anx.experiment.identity import RunFacts
from anx.experiment.tensorboard import add_picture, finish_tensorboard
from anx.experiment.values import locate, signature_of
from anx.experiment.wandb_run import finish_wandb


def build_loggers(parts: Mapping[str, DictConfig], run: RunFacts) -> list[Logger]:
    """The loggers of a configuration; none on processes other than the first.

    Args:
        parts: what makes each, by its key.
        run: what they are told of the run.

    Raises:
        ConfigError: one refuses what its part says.
    """
    made = []
    for key, part in parts.items():
        arguments, _ = signature_of(locate(f"{key}._target_", part.get("_target_")))
        made.append(instantiate(part, **({"run": run} if "run" in arguments else {})))
    return [logger for logger in made if logger is not None]


@functools.singledispatch
def log_image(logger: Logger, key: str, path: Path, step: int) -> None:
    """Log the picture in a file under a key, as of the generation `step`; nothing, for a logger that takes none."""


@functools.singledispatch
def finish(logger: Logger, reason: str | None) -> None:
    """End a logger's run; `reason`: why it failed. Else a multirun's jobs would share the first job's run."""


def finish_loggers(loggers: Iterable[Logger], reason: str | None) -> None:
    """End the run in every logger, as failed if there is a reason for that."""
    for logger in loggers:
        finish(logger, reason)


@log_image.register
def _(logger: WandbLogger, key: str, path: Path, step: int) -> None:
    logger.log_image(key, [str(path)], step=step)


@finish.register
def _(logger: WandbLogger, reason: str | None) -> None:
    finish_wandb(logger, reason)


@log_image.register
def _(logger: TensorBoardLogger, key: str, path: Path, step: int) -> None:
    add_picture(logger, key, path, step)


@finish.register
def _(logger: TensorBoardLogger, reason: str | None) -> None:
    finish_tensorboard(logger, reason)
