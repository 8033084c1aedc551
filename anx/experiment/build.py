"""From a configuration to an environment, an agent and a rollout.

Sizes that follow from other parts are passed here, so that no config states them: swapping a neuron resizes the pooler.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf

from anx.agent.agent import Agent
from anx.errors import ConfigError, InputsDoNotFitError
from anx.experiment.config.own_configs import config_folder
from anx.experiment.config.parts import AGENT_KEYS, arguments_of, check_follows
from anx.perturb.base import Perturbation
from anx.rollout.base import Rollout
from anx.rollout.cluster import ClusterRollout
from anx.rollout.engine import Engine

# What one's own environments inherit from, by what plays them.
BASES = {"device": "TorchEnvironment", "host": "HostEnvironment"}


def build_agent(config: DictConfig, env: Any) -> Agent:
    """The agent of `config` for an environment."""
    observed, actions = env.spec.observation_shape, env.spec.action_size
    splitter = build_part(config, "splitter", observation_shape=observed)
    felt = actions if config.agent.get("previous_action", True) else 0
    neuron = build_part(config, "neuron", features=splitter.features, action_size=felt)
    sizes = {"key_size": neuron.key_size, "value_size": neuron.value_size}
    pooler = build_part(config, "pooler", **sizes, num_inputs=splitter.num_inputs)
    policy = build_part(config, "policy", latent_shape=pooler.latent_shape, action_size=actions)
    head = build_part(config, "head", context_size=policy.context_size, action_size=actions)
    parts = {"splitter": splitter, "neuron": neuron, "pooler": pooler, "policy": policy, "head": head}
    return build_part(config, "agent", **parts, action_size=actions, discrete=env.spec.discrete)


def build_part(config: DictConfig, group: str, **others: object) -> Any:
    """The part of `config` at `group`, with what follows from other parts.

    Raises:
        ConfigError: it refuses a value, or `config` has one for what follows from other parts.
    """
    check_follows(config, group, others)
    with arguments_of(group):
        return instantiate(config[group], **others)


def build_perturbations(config: DictConfig, agent: Agent) -> list[Perturbation]:
    """The perturbations of `config`, in its order; ConfigError unless they suit the agent."""
    perturbations: dict[str, Perturbation] = {}
    for name, each in config.items():
        if each is not None:
            with arguments_of(f"perturbations.{name!s}"):
                perturbations[str(name)] = instantiate(each)
    check_perturbations(perturbations.items(), agent)
    return list(perturbations.values())


def check_perturbations(perturbations: Iterable[tuple[str, Perturbation]], agent: Agent) -> None:
    """ConfigError unless perturbations, each with what it is called, leave inputs and actions that suit the agent."""
    count = agent.splitter.num_inputs
    for name, perturbation in perturbations:
        if perturbation.befalls == "inputs":
            with arguments_of(f"perturbations.{name}"):
                count = perturbation.num_inputs(count)
        elif agent.discrete or agent.action_size < 2:
            what = f"one of {agent.action_size} buttons" if agent.discrete else "one number"
            raise ConfigError(f"perturbations.{name} takes an action of several numbers; here it is {what}")
    if agent.fixed_inputs not in (None, count):
        kind = type(agent.pooler)
        pooler = named("pooler", f"{kind.__module__}.{kind.__qualname__}")
        raise InputsDoNotFitError(
            f"{pooler} takes {agent.fixed_inputs} inputs, the perturbations leave {count}: an agent without attention "
            "can be shuffled, but not evaluated under duplicate, noise or occlude"
        )


def build_rollout(config: DictConfig) -> tuple[Agent, Rollout]:
    """The agent of `config` and the rollout that lets it act in its environment."""
    env = build_part(config, "env")
    check_pair(config, env)
    agent = build_agent(config, env)
    return agent, build_part(config, "rollout", agent=agent, env=env)


def on_cluster(config: DictConfig, rollout: Rollout) -> Rollout:
    """A rollout of `config` whose populations are played where `config.cluster` says, if it says anything."""
    if not config.get("cluster"):
        return rollout
    open_engine(config)  # what it refuses is said before a run begins; it starts nothing yet
    resolved = cast(dict[str, object], OmegaConf.to_container(config, resolve=True))
    parts = {key: resolved[key] for key in AGENT_KEYS}
    return ClusterRollout(rollout, partial(rollout_from, parts), partial(open_engine, config))


def open_engine(config: DictConfig) -> Engine:
    """What carries work to the processes of `config.cluster`; an executor as `concurrent.futures` has them does."""
    with arguments_of("cluster"):
        engine: Engine = instantiate(config.cluster, _convert_="all")
    return engine


def rollout_from(parts: Mapping[str, object]) -> Rollout:
    """The rollout of a run's parts, which are plain values, in another process."""
    return build_rollout(OmegaConf.create(dict(parts)))[1]


def check_pair(config: DictConfig, env: Any) -> None:
    """ConfigError unless the rollout of `config` can play its environment, which says so in `env.rollout`."""
    takes = getattr(get_class(config.rollout._target_), "takes", None)
    needs = getattr(env, "rollout", None)
    if needs is not None and not hasattr(env, "has_pictures"):
        raise ConfigError(
            f"env._target_={config.env._target_} lacks what environments have by default: inherit from "
            f"anx.envs.{BASES.get(needs, BASES['host'])}"
        )
    if takes is None or needs == takes:
        return
    if needs is None:
        raise ConfigError(
            f"env._target_={config.env._target_} does not say what plays it: give the class an attribute `rollout`, "
            "'device' (it is written in torch: reset, observe, step) or 'host' (it has make)"
        )
    raise ConfigError(f"{option(config, 'env')} needs rollout={needs}, not {option(config, 'rollout')}")


def option(config: DictConfig, group: str) -> str:
    """A part of `config` as a command line would choose it: env=ant; one's own by its class."""
    return named(group, config[group]._target_)


def named(group: str, target: str) -> str:
    """A component as a command line would choose it."""
    for path in sorted(Path(config_folder(), group).glob("*.yaml")):
        if OmegaConf.select(OmegaConf.load(path), "_target_") == target:
            return f"{group}={path.stem}"
    return f"{group}._target_={target}"
