"""From a configuration to an environment, an agent and a rollout.

Sizes that follow from other parts are passed here, so that no config states them: swapping a neuron resizes the pooler.
"""

from pathlib import Path
from typing import Any

from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf

from anx.agent.agent import Agent
from anx.errors import ConfigError
from anx.experiment.overrides import config_folder
from anx.experiment.parts import arguments_of
from anx.perturb.base import Perturbation
from anx.rollout.base import Rollout

# The parts of a configuration that say what an agent is: what its weights need to be understood.
AGENT_KEYS = ("env", "agent", "splitter", "neuron", "pooler", "policy", "rollout")

# What one's own environments inherit from, by what plays them.
BASES = {"device": "TorchEnvironment", "host": "HostEnvironment"}

# What holds the parts together, where a file of weights was written before that was a part, too.
WHOLE = {"_target_": "anx.agent.agent.Agent"}


def build_agent(config: DictConfig, env: Any) -> Agent:
    """The agent of `config` for an environment."""
    with arguments_of("splitter"):
        splitter = instantiate(config.splitter, observation_shape=env.spec.observation_shape)
    whole = config.get("agent", WHOLE)
    seen = env.spec.action_size if whole.get("previous_action", True) else 0
    neuron = instantiate(config.neuron, features=splitter.features, action_size=seen)
    sizes = {"key_size": neuron.key_size, "value_size": neuron.value_size}
    pooler = instantiate(config.pooler, **sizes, num_inputs=splitter.num_inputs)
    actions = {"action_size": env.spec.action_size, "output": "one_hot" if env.spec.discrete else "tanh"}
    policy = instantiate(config.policy, latent_shape=pooler.latent_shape, **actions)
    parts = {"splitter": splitter, "neuron": neuron, "pooler": pooler, "policy": policy}
    return instantiate(whole, **parts, action_size=env.spec.action_size)


def build_perturbations(config: DictConfig, agent: Agent) -> list[Perturbation]:
    """The perturbations of `config`, in its order; ConfigError unless they leave inputs that the agent can take."""
    perturbations = []
    count = agent.splitter.num_inputs
    for name, each in config.items():
        if each is not None:
            with arguments_of(f"perturbations.{name!s}"):
                perturbation: Perturbation = instantiate(each)
                count = perturbation.num_inputs(count)
            perturbations.append(perturbation)
    if count != agent.splitter.num_inputs:
        try:
            agent.pooler.check_num_inputs(count)
        except ValueError as error:
            raise ConfigError(str(error)) from None
    return perturbations


def build_rollout(config: DictConfig) -> tuple[Agent, Rollout]:
    """The agent of `config` and the rollout that lets it act in its environment."""
    with arguments_of("env"):
        env = instantiate(config.env)
    check_pair(config, env)
    agent = build_agent(config, env)
    return agent, instantiate(config.rollout, agent=agent, env=env)


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
    target = config[group]._target_
    for path in sorted(Path(config_folder(), group).glob("*.yaml")):
        if OmegaConf.select(OmegaConf.load(path), "_target_") == target:
            return f"{group}={path.stem}"
    return f"{group}._target_={target}"
