"""From a configuration to an environment, an agent and a rollout.

Sizes that follow from other parts are passed here, so that no config states them: swapping a neuron resizes the pooler.
"""

from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig

from anx.agent.agent import Agent
from anx.rollout.base import Rollout

# The parts of a configuration that say what an agent is: what its weights need to be understood.
AGENT_KEYS = ("env", "splitter", "neuron", "pooler", "policy", "rollout")


def build_agent(config: DictConfig, env: Any) -> Agent:
    """The agent of `config` for an environment."""
    splitter = instantiate(config.splitter, observation_shape=env.observation_shape)
    neuron = instantiate(config.neuron, features=splitter.features, action_size=env.action_size)
    sizes = {"key_size": neuron.key_size, "value_size": neuron.value_size}
    pooler = instantiate(config.pooler, **sizes, num_inputs=splitter.num_inputs)
    actions = {"action_size": env.action_size, "output": "one_hot" if env.discrete else "tanh"}
    policy = instantiate(config.policy, latent_shape=pooler.latent_shape, **actions)
    return Agent(splitter, neuron, pooler, policy, action_size=env.action_size)


def build_rollout(config: DictConfig) -> tuple[Agent, Rollout]:
    """The agent of `config` and the rollout that lets it act in its environment."""
    env = instantiate(config.env)
    agent = build_agent(config, env)
    return agent, instantiate(config.rollout, agent=agent, env=env)
