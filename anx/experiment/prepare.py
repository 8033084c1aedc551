"""From a configuration to all that a run needs: checked and built before anything is logged."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import instantiate
from lightning import Callback, Trainer, seed_everything
from lightning.pytorch.callbacks import Checkpoint
from omegaconf import DictConfig, OmegaConf

from anx.agent.agent import Agent
from anx.cores import count_cores
from anx.errors import ConfigError
from anx.experiment.build import build_agent, build_part, build_perturbations, build_rollout, on_cluster
from anx.experiment.checkpoints import WholeCheckpointIO
from anx.experiment.config.check import check, find_learner, processes_of
from anx.experiment.config.messages import one_line
from anx.experiment.config.parts import AGENT_KEYS, arguments_of, check_follows
from anx.experiment.files.layers import check_parts_of, load_parts_into
from anx.experiment.files.trust import packages_to_trust
from anx.experiment.files.weights import load_into, read_checkpoint, read_weights
from anx.experiment.folder import find_checkpoint
from anx.experiment.memory import check_memory
from anx.experiment.resumption import check_resumable
from anx.experiment.teaching import build_teacher
from anx.learners.base import Learner, Parts
from anx.population import num_parameters

REQUIRED = (*AGENT_KEYS, "optimizer", "learner", "trainer")


class Prepared(NamedTuple):
    """A run that can start."""

    learner: Learner
    trainer: Trainer
    checkpoint: Path | None  # to go on from
    draw: Callable[[Path], Path] | None  # writes the report of a run's folder


def prepare(config: DictConfig) -> Prepared:
    """What `config` trains, and what trains it; raises where something is wrong."""
    check_parts(config)
    check(config)
    checkpoint = find_checkpoint(config.ckpt_path, Path(config.run_dir))
    learner = build_learner(config, checkpoint)
    trainer = build_trainer(config, build_callbacks(config))
    trust = [*packages_to_trust(config), config.learner._target_]  # of this run's own: the report asks it for its words
    draw = build_part(config, "report", trust=trust) if config.get("report") else None
    return Prepared(learner, trainer, checkpoint, draw)


def check_parts(config: DictConfig) -> None:
    """Whether the parts that a run can't do without are there, and the others are parts."""
    for key in REQUIRED:
        if not OmegaConf.is_dict(config.get(key)) or "_target_" not in config[key]:
            raise ConfigError(f"{key}={config.get(key)}: a run needs one; --help lists those that there are")
    if "budgets" in config and not OmegaConf.is_dict(config.budgets):  # who takes a size from there would not say why
        raise ConfigError(f"budgets={config.budgets} must be sizes by name")
    for key in ("report", "cluster"):
        check_part(key, config.get(key))
    for group in ("callbacks", "logger", "perturbations"):
        chosen(config, group)
    if processes_of(config) > 1 and HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN:
        raise ConfigError("trainer.devices times trainer.num_nodes must be 1 in a multirun: a job has one process")
    check_cluster(config)


def check_cluster(config: DictConfig) -> None:
    """Whether one process asks for what plays populations elsewhere."""
    if config.get("cluster") is not None and processes_of(config) > 1:
        raise ConfigError(
            "trainer.devices times trainer.num_nodes must be 1 with a cluster, which plays for one process"
        )


def check_part(key: str, part: object) -> None:
    """ConfigError unless a part that may be left out is one, or null."""
    if part is not None and (not isinstance(part, DictConfig) or "_target_" not in part):
        raise ConfigError(f"{key}={part} must be null or a part with a _target_")


def chosen(config: DictConfig, group: str) -> dict[str, Any]:
    """The parts of an optional group; none where it is null or left out."""
    parts = config.get(group) or {}
    if not OmegaConf.is_dict(config.get(group, OmegaConf.create())) and parts:
        raise ConfigError(f"{group}={parts} must be null or parts by name")
    for name, part in parts.items():
        check_part(f"{group}.{name}", part)
    return {f"{group}.{name}": part for name, part in parts.items() if part is not None}


def start(agent: Agent, config: DictConfig) -> None:
    """Let an agent be what a run of `config` starts from: its learner's start, `weights`, or parts of these in that."""
    some, weights = config.get("weights_of"), config.weights
    if some is not None and not weights:
        raise ConfigError(f"weights_of={some} needs weights=PATH, an agent of which these parts are taken")
    if not weights or some is not None:
        find_learner(config).start(agent, config)
    if some is not None:
        load_parts_into(agent, read_weights(weights), weights, check_parts_of(some))
    elif weights:
        load_into(agent, read_weights(weights), weights)


def build_learner(config: DictConfig, checkpoint: Path | None = None) -> Learner:
    """The learner with its agent, which can go on from `checkpoint`."""
    state = read_checkpoint(checkpoint) if checkpoint else None
    seed_everything(config.seed, verbose=False)
    agent, rollout = build_rollout(config)
    start(agent, config)
    check_memory(find_learner(config).needs(config, num_parameters(agent)))
    check_follows(config, "optimizer", ("dimension", "params"))  # a solver's, and those of torch
    resolved = cast(dict[str, object], OmegaConf.to_container(config, resolve=True))
    teacher = {"teacher": resolved["teacher"]} if resolved.get("teacher") else {}
    parts = Parts(
        agent,
        on_cluster(config, rollout),
        instantiate(config.optimizer),
        perturbations=build_perturbations(config.perturbations, agent),
        seed=config.seed,
        agent_config={key: resolved[key] for key in ("name", *AGENT_KEYS)},
        run_config={key: resolved[key] for key in ("seed", "perturbations", "optimizer", "learner")} | teacher,
        teacher=partial(build_teacher, config) if teacher else None,
        draw=None if config.weights else partial(build_agent, config, rollout.env),
    )
    learner: Learner = build_part(config, "learner", parts=parts)
    if state:
        check_resumable(learner, state)
    return learner


def build_callbacks(config: DictConfig) -> list[Callback]:
    """The callbacks of a run."""
    callbacks = []
    for key, part in chosen(config, "callbacks").items():
        with arguments_of(key):
            callbacks.append(instantiate(part))
    return callbacks


def build_trainer(config: DictConfig, callbacks: list[Callback]) -> Trainer:
    """Lightning's trainer, as yet without loggers. Whatever it refuses was asked for by the configuration."""
    if config.trainer.get("accelerator") == "mps":
        raise without_float64(config)
    own = {"callbacks": callbacks, "logger": False, "plugins": [WholeCheckpointIO()]}
    check_follows(config, "trainer", own)
    if not any(isinstance(each, Checkpoint) for each in callbacks):
        if config.trainer.get("enable_checkpointing"):
            raise ConfigError(
                f"trainer.enable_checkpointing={config.trainer.enable_checkpointing} needs a callback that saves, as "
                "callbacks.last does; add one or leave it out"
            )
        own["enable_checkpointing"] = False  # else Lightning adds one of its own
    try:
        trainer: Trainer = instantiate(config.trainer, **own)
        if environment := getattr(trainer.strategy, "cluster_environment", None):
            environment.validate_settings(trainer.num_devices, trainer.num_nodes)
    except Exception as error:
        way_out = ""
        if "SLURM_NTASKS" in os.environ:
            way_out = (
                "; SLURM_NTASKS is set: ask for --ntasks-per-node as large as trainer.devices and start with srun, "
                "or unset SLURM_NTASKS for a run of one process"
            )
        given = ", ".join(f"{key}={config.trainer.get(key)}" for key in ("accelerator", "devices", "strategy"))
        said = one_line(error).removeprefix("trainer: ")  # as far as it was Hydra that failed
        raise ConfigError(f"trainer: {said} ({given}){way_out}") from error
    if trainer.strategy.root_device.type == "mps":
        raise without_float64(config)
    return trainer


def without_float64(config: DictConfig) -> ConfigError:
    return ConfigError(
        f"trainer.accelerator={config.trainer.accelerator} is Apple's MPS, which has no float64: agents are evaluated "
        "in that; allowed: cpu"
    )


def describe_device(trainer: Trainer) -> str:
    """Where a run computes, and where else it could."""
    device, processes = trainer.strategy.root_device, trainer.world_size
    shared = f", {processes} processes" if processes > 1 else ""
    if device.type != "cpu":
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
        return f"on {device} ({name}{shared})"
    other = "; a CUDA card is there, too: trainer.accelerator=gpu" if torch.cuda.is_available() else ""
    cores = count_cores()
    return f"on the CPU ({cores} core{'s' if cores > 1 else ''}{shared}){other}"
