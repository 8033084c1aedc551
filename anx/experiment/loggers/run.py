"""A run's loggers: made, told what is run, and told how it ended, all alike."""

import os
from collections.abc import Mapping
from typing import cast

from hydra.utils import instantiate
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig, OmegaConf

from anx.experiment.config.command_line import given_arguments
from anx.experiment.identity import identify
from anx.experiment.loggers.base import of_run
from anx.experiment.prepare import chosen


def make_loggers(config: DictConfig, identity: Mapping[str, object]) -> list[Logger]:
    """The run's loggers, which know its configuration and its identity; none on processes other than the first."""
    made: list[Logger | None] = [instantiate(each) for each in chosen(config, "logger").values()]
    loggers = [each for each in made if each is not None]
    resolved = cast(dict[str, object], OmegaConf.to_container(config, resolve=True))
    for logger in loggers:
        logger.log_hyperparams({**resolved, "identity": identity})
    return loggers


def end_loggers(loggers: list[Logger], reason: str | None) -> None:
    """Tell the loggers that the run is over, and why it has failed if it has."""
    for logger in of_run(loggers):
        logger.end(reason)


def log_refusal(reason: str, config: DictConfig | None = None) -> None:
    """A W&B sweep waits for each of its runs: one that can't even be composed ends as failed and says why."""
    if "WANDB_SWEEP_ID" not in os.environ:
        return
    if config is not None:
        end_loggers(make_loggers(config, identify(given_arguments(), config.seed)), reason)
        return
    from anx.experiment.loggers.wandb_run import make_wandb_logger  # W&B takes a while to import, and few need it

    if (logger := make_wandb_logger()) is not None:
        end_loggers([logger], reason)
