"""An agent that acts: called on what an environment gives, it answers with what the environment takes."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from omegaconf import DictConfig
from torch import Tensor

from anx.agent.agent import Agent, AgentState, Thought
from anx.agent.base import Prepared
from anx.internal.pytree import tree_map
from anx.population import get_vector, in_precision_of, with_vector
from anx.rollout.base import Rollout


class Memory(NamedTuple):
    """What an actor carries from step to step of one episode."""

    module: Agent  # as it was at the episode's start, in the precision in which agents are evaluated
    prepared: Prepared  # what follows from its parameters alone
    state: AgentState


class Actor:
    """One agent in one episode at a time, step by step.

        env = gymnasium.make("anx.envs.registration:anx/CartPoleSwingUpHarder-v0")
        agent = anx.load("anx:cartpole")
        (observation, _), state, over = env.reset(seed=0), None, False
        while not over:
            action, state = agent(observation, state)
            observation, reward, terminated, truncated, _ = env.step(action)
            over = terminated or truncated

    It computes as an evaluation does, in the same precision: the same actions up to rounding.

    Args:
        module: the agent; who changes its parameters acts with them from the next episode on.
        rollout: of its environment.
        config: what built both.
    """

    def __init__(self, module: Agent, rollout: Rollout, config: DictConfig) -> None:
        self.module = module
        self.rollout = rollout
        self.config = config

    def __call__(
        self, observation: ArrayLike | Tensor, state: Memory | None = None
    ) -> tuple[NDArray[np.generic], Memory]:
        """An observation, the memory of the step before (None: an episode starts) -> action, memory.

        Args:
            observation: as the environment gives it: scalars [N], or frames [frames, height, width] from 0 to 255.
            state: is not changed.

        Returns:
            The action, as the environment takes it: an index [] for a `Discrete` space, numbers [A] within the bounds
            of a `Box`.

        Raises:
            ValueError: the observation has another shape than the agent's environment gives.
        """
        thought, memory = self._think(observation, state)
        return self.rollout.for_env(thought.action), memory

    def explain(self, observation: ArrayLike | Tensor, state: Memory | None = None) -> Thought:
        """How the agent comes to its action: attention [N, M], latent code [M, V], scores [A], the action as [A]."""
        return self._think(observation, state)[0]

    @torch.no_grad()
    def _think(self, observation: ArrayLike | Tensor, memory: Memory | None) -> tuple[Thought, Memory]:
        module, prepared, state = self._start() if memory is None else memory
        inputs = module.splitter(self._read(observation)).to(state.previous_action.dtype)  # [N, F]
        thought, after = module.explain(prepared, inputs, state)
        return thought, Memory(module, prepared, after)

    def _start(self) -> Memory:
        vector = get_vector(self.module).to(self.rollout.evaluation_dtype)
        module = with_vector(self.module, vector)
        blank = tree_map(lambda x: in_precision_of(vector, x), module.initial_state(module.splitter.num_inputs))
        return Memory(module, module.prepare(), blank)

    def _read(self, observation: ArrayLike | Tensor) -> Tensor:
        if isinstance(observation, Tensor):
            read = observation
        else:
            read = torch.from_numpy(np.array(self.rollout.from_env(np.asarray(observation))))
        expected = self.rollout.env.spec.observation_shape
        if tuple(read.shape) != tuple(expected):
            raise ValueError(f"the observation has shape {tuple(read.shape)}; this agent takes {tuple(expected)}")
        return read.to(next(self.module.parameters()).device)
