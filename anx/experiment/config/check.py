"""The configuration: checked before anything is built."""

from typing import TYPE_CHECKING

from omegaconf import DictConfig, OmegaConf

from anx.errors import ConfigError
from anx.experiment.config.ablation import check_ablations
from anx.experiment.config.values import check_integer, check_types, fits, locate
from anx.seeds import LARGEST

if TYPE_CHECKING:
    from anx.learners.base import Learner


def check(config: DictConfig) -> None:
    """Everything that can be said without building: types, counts, and keys that must fit each other."""
    check_ablations(config)
    check_size(config)
    if not fits(config.get("name"), str):
        raise ConfigError(f"name={config.get('name')} must be a text")
    check_types(OmegaConf.to_container(config, resolve=True))
    for key in ("weights", "ckpt_path"):
        if not fits(config.get(key), str | None):
            raise ConfigError(f"{key}={config.get(key)} must be a file or null")
    check_integer("seed", config.seed, least=0, most=LARGEST)
    ends = (config.trainer.get("max_time"), config.learner.get("max_env_steps"))
    if ends == (None, None) or config.trainer.get("max_steps") != -1:  # -1: another limit ends the run
        check_integer("trainer.max_steps", config.trainer.get("max_steps"), least=1)
    for key in ("val_check_interval", "check_val_every_n_epoch"):
        value = config.trainer.get(key)
        if fits(value, float) and value <= 0:  # Lightning takes 0, and divides by it
            check_integer(f"trainer.{key}", value, least=1)
    find_learner(config).check(config, processes_of(config))


def check_size(config: DictConfig) -> None:
    """Whether there is such a budget: sizes of all kinds are taken from it."""
    budgets = config.get("budgets")
    if OmegaConf.is_dict(budgets) and config.get("size") not in budgets:
        raise ConfigError(f"size={config.get('size')} is not one of {', '.join(map(str, budgets))}")


def processes_of(config: DictConfig) -> int:
    """How many processes will share a run; 1 where Lightning decides."""
    devices, nodes = config.trainer.get("devices", 1), config.trainer.get("num_nodes", 1)
    if isinstance(devices, str):
        devices = int(devices) if devices.isdecimal() else 1
    elif OmegaConf.is_list(devices):
        devices = len(devices)
    return max(devices, 1) * max(nodes, 1) if fits([devices, nodes], list[int]) else 1


def find_learner(config: DictConfig) -> "type[Learner]":
    """The class of the learner that `config` names."""
    from anx.learners.base import Learner  # Lightning takes seconds to import, and what only plays does without

    learner = locate("learner._target_", config.learner._target_)
    if not (isinstance(learner, type) and issubclass(learner, Learner)):
        raise ConfigError(f"learner._target_={config.learner._target_} must be an anx.learners.base.Learner")
    return learner
