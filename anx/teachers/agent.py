"""An agent as a teacher."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.func import vmap

from anx.agent.agent import Agent, AgentState
from anx.errors import ConfigError
from anx.internal.pytree import tree_map
from anx.spec import Specified
from anx.teachers.base import Seen, Teacher

Load = Callable[[str, Sequence[str], Sequence[str]], Agent]


class AgentTeacher(Teacher):
    """The agent in a file, whose scores a student may learn.

    Args:
        env: whose observations and actions the agent must know.
        load: a file, overrides and trust -> its agent, in the precision in which agents are evaluated.
        weights: its file, or anx:NAME, one that ships.
        overrides: as of `python -m anx.evaluate`, on top of what the file says; an .npz file needs its experiment:
            ['+experiment=ant'].
        trust: packages whose components the file may name.
    """

    def __init__(
        self, env: Specified, load: Load, *, weights: str, overrides: Sequence[str] = (), trust: Sequence[str] = ()
    ) -> None:
        self.agent = load(weights, overrides, trust)
        inputs = self.agent.splitter.num_inputs
        if (self.agent.action_size, self.agent.discrete) != (env.spec.action_size, env.spec.discrete):
            raise ConfigError(f"weights={weights} is an agent of other actions than the environment's")
        self.prepared = self.agent.prepare()
        self.blank = self.agent.initial_state(inputs)
        self._state: AgentState | None = None  # leaves [S, ...]

    @torch.inference_mode()
    def __call__(self, seen: Seen) -> Tensor:
        start = torch.from_numpy(seen.start)
        state = self._started(start)._replace(previous_action=seen.previous_actions)
        scores, self._state = vmap(self._answer)(torch.from_numpy(seen.observations), state)
        return scores

    def _started(self, start: Tensor) -> AgentState:
        """The state of each slot, new where an episode begins."""
        fresh: AgentState = tree_map(lambda x: x.expand(len(start), *x.shape), self.blank)
        if self._state is None or bool(start.all()):
            return fresh
        return tree_map(partial(chosen, start), fresh, self._state)

    def _answer(self, observation: Tensor, state: AgentState) -> tuple[Tensor, AgentState]:
        """Of one slot: observation, state -> scores [A], state."""
        inputs = self.agent.splitter(observation).to(state.previous_action.dtype)  # [N, F]
        keys, values, neuron = self.agent.sense(inputs, state)
        scores, _, after = self.agent.act(self.agent.pooler(self.prepared, keys, values), neuron, state)
        return scores, after


def chosen(start: Tensor, fresh: Tensor, kept: Tensor) -> Tensor:
    """[S, ...], `fresh` where `start` [S]."""
    return torch.where(start.view(-1, *(1 for _ in fresh.shape[1:])), fresh, kept)
