"""From a configuration to a teacher, and to what is recorded of it."""

from collections.abc import Sequence
from typing import cast

from omegaconf import DictConfig, OmegaConf

from anx.agent.agent import Agent
from anx.envs.base import HostEnvironment
from anx.errors import ConfigError
from anx.experiment.build import BASES, build_part
from anx.experiment.compose import compose_evaluation
from anx.experiment.evaluation import build_evaluation
from anx.experiment.files.weights import identify_weights
from anx.experiment.identity import versions
from anx.population import get_vector, with_vector
from anx.teachers.base import Teacher

SPEED = ("threads", "processes")  # arguments of environments that change nothing that is recorded


def build_stage(config: DictConfig) -> tuple[HostEnvironment, Teacher]:
    """The environment of `config` and the teacher that acts in it.

    Raises:
        ConfigError: they do not fit, or the environment is none that steps on the CPU.
    """
    env = build_part(config, "env")
    if getattr(env, "rollout", None) != "host":
        raise ConfigError(
            f"env._target_={config.env._target_} is not recorded; allowed are environments that step on the CPU, "
            f"{BASES['host']}s: env=pong, ant, ant_mujoco, car_racing, gymnasium"
        )
    return env, build_teacher(config, env)


def build_teacher(config: DictConfig, env: HostEnvironment) -> Teacher:
    """The teacher of `config` for an environment; one that is an agent's gets what loads agents."""
    loading = {"load": load_agent} if "weights" in config.teacher else {}
    teacher: Teacher = build_part(config, "teacher", env=env, **loading)
    return teacher


def load_agent(weights: str, overrides: Sequence[str], trust: Sequence[str]) -> Agent:
    """The agent in a file, in the precision in which agents are evaluated."""
    agent, rollout, _ = build_evaluation(compose_evaluation(weights, list(overrides), list(trust)), "teacher.weights")
    return with_vector(agent, get_vector(agent).to(rollout.evaluation_dtype))


def settings_of(config: DictConfig) -> dict[str, object]:
    """What has to be the same for a recording to be gone on with."""
    env = cast(dict[str, object], OmegaConf.to_container(config.env, resolve=True))
    parts = {
        "env": {key: value for key, value in env.items() if key not in SPEED},
        "teacher": OmegaConf.to_container(config.teacher, resolve=True),
    }
    weights = config.teacher.get("weights")
    known = {"teacher_sha256": identify_weights(weights)["sha256"]} if weights else {}
    return {**parts, **known, "seed": config.seed, "epsilon": float(config.epsilon)}


def notes_of(overrides: Sequence[str]) -> dict[str, object]:
    """What is good to know of a recording."""
    return {"anx": versions().get("anx"), "overrides": list(overrides)}
