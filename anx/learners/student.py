"""An agent as a student: what it says to every step of many episodes at once, with gradients."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
from torch import Tensor
from torch.func import vmap

from anx.agent.agent import Agent, AgentState
from anx.agent.base import Prepared, State
from anx.agent.state import returned_as
from anx.agent.still import in_two, merged_latent, still_inputs
from anx.internal.pytree import tree_leaves, tree_map
from anx.perturb.base import Perturbation
from anx.perturb.pipeline import Pipeline

# Inputs [B, T, N, F], previous actions [B, T, A], state -> keys [B, T, N, K], values [B, T, N, V], state.
OverTime: TypeAlias = Callable[[Tensor, Tensor, State], tuple[Tensor, Tensor, State]]


class Student:
    """Lets an agent read B episodes of T steps. What is not carried from step to step is worked out for all steps at
    once; of the previous actions it is told, so that only neurons and policies with a memory go step by step.

    Args:
        agent: whose parameters get the gradients.
        perturbations: of its inputs.
        truncate: steps after which no gradient goes back through what is carried; None: it goes through all.
        merge: whether still inputs become one, where agents can do that (see `anx.agent.still`).
    """

    def __init__(
        self,
        agent: Agent,
        perturbations: Sequence[Perturbation] = (),
        *,
        truncate: int | None = None,
        merge: bool = True,
    ) -> None:
        self.agent = agent
        self.perturbations = perturbations
        self.truncate = truncate
        self.still = still_inputs(agent) if merge else None

    def scores(self, observations: Tensor, previous_actions: Tensor, pipeline: Pipeline, rows: Tensor) -> Tensor:
        """Its scores [B, T, A].

        Args:
            observations: [B, T, ...].
            previous_actions: [B, T, A].
            pipeline: what befalls its inputs, of at least B episodes; they begin.
            rows: which of the pipeline's episodes these are [B].
        """
        agent, length = self.agent, observations.shape[1]
        inputs = self._inputs(observations, pipeline, rows).to(previous_actions.dtype)  # [B, T, N, F]
        blank = agent.initial_state(pipeline.num_inputs)
        prepared = agent.prepare()
        if tree_leaves(blank.neuron):
            keys, values = self._said(inputs, previous_actions, blank)
            pool = vmap(lambda keys, values: agent.pooler(prepared, keys, values))
            latent = pool(keys.flatten(0, 1), values.flatten(0, 1))
        else:
            latent = self._latent(prepared, inputs.flatten(0, 1), previous_actions.flatten(0, 1), blank)
        latent = latent.unflatten(0, (-1, length))  # [B, T, M, V]
        return self._answer(latent, previous_actions, blank)

    def _inputs(self, observations: Tensor, pipeline: Pipeline, rows: Tensor) -> Tensor:
        """Observations [B, T, ...] -> inputs [B, T, N, F]: steps between which nothing is drawn anew are one batch."""
        sense, drawn, starts = pipeline.batched(2), [], []
        for t in range(observations.shape[1]):
            if pipeline.draw(t) or t == 0:
                starts.append(t)
                drawn.append(pipeline.at(rows))
        lengths = [end - start for start, end in zip(starts, [*starts[1:], observations.shape[1]], strict=True)]
        parts = []
        for part, own in zip(observations.split(lengths, dim=1), drawn, strict=True):
            steps = tuple(each.to(part.device).unsqueeze(1).expand(-1, part.shape[1], *each.shape[1:]) for each in own)
            parts.append(sense(part, steps))
        return torch.cat(parts, dim=1)

    def _said(self, inputs: Tensor, previous: Tensor, blank: AgentState) -> tuple[Tensor, Tensor]:
        """What neurons with a memory say: inputs [B, T, N, F], previous actions [B, T, A] -> keys [B, T, N, K], values
        [B, T, N, V]."""
        over_time: OverTime = getattr(self.agent.neuron, "over_time", self._step_by_step)
        felt, length = previous[..., : self.agent.felt_size], self.truncate or inputs.shape[1]
        state, said = expanded(blank, len(inputs)).neuron, []
        for part, before in zip(inputs.split(length, dim=1), felt.split(length, dim=1), strict=True):
            *heard, state = over_time(part, before, tree_map(lambda x: x.detach(), state))
            said.append(heard)
        keys, values = zip(*said, strict=True)
        return torch.cat(keys, dim=1), torch.cat(values, dim=1)

    def _step_by_step(self, inputs: Tensor, felt: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        """A neuron's `over_time`, for those that have none."""
        neuron, keys, values = self.agent.neuron, [], []

        def sense(inputs: Tensor, felt: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
            key, value, after = neuron(inputs, felt, state)
            return key, value, returned_as(after, state, type(neuron).__name__)

        for t in range(inputs.shape[1]):
            key, value, state = vmap(sense)(inputs[:, t], felt[:, t], state)
            keys.append(key)
            values.append(value)
        return torch.stack(keys, dim=1), torch.stack(values, dim=1), state

    def _latent(self, prepared: Prepared, inputs: Tensor, previous: Tensor, blank: AgentState) -> Tensor:
        """Inputs [X, N, F], previous actions [X, A] -> latent code [X, M, V] of neurons without a memory."""
        agent = self.agent

        def whole(inputs: Tensor, previous: Tensor) -> tuple[Tensor, State]:
            keys, values, state = agent.sense(inputs, blank._replace(previous_action=previous))
            return agent.pooler(prepared, keys, values), state

        def fewer(inputs: Tensor, previous: Tensor, rows: Tensor) -> tuple[Tensor, State]:
            return merged_latent(agent, prepared, inputs, blank._replace(previous_action=previous), rows)

        if self.still is None:
            return vmap(whole)(inputs, previous)[0]
        rows, few = self.still.divide(inputs)
        return in_two(few, vmap(whole), vmap(fewer), (inputs, previous), rows)[0]

    def _answer(self, latent: Tensor, previous: Tensor, blank: AgentState) -> Tensor:
        """Latent code [B, T, M, V], previous actions [B, T, A] -> scores [B, T, A]."""
        agent = self.agent

        def answer(latent: Tensor, previous: Tensor, policy: State) -> tuple[Tensor, State]:
            scores, _, after = agent.act(latent, blank.neuron, AgentState(blank.neuron, policy, previous))
            return scores, after.policy

        step: Callable[..., tuple[Tensor, State]] = vmap(answer)
        if not tree_leaves(blank.policy):
            return step(latent.flatten(0, 1), previous.flatten(0, 1), ())[0].unflatten(0, latent.shape[:2])
        policy, scores = expanded(blank, len(latent)).policy, []
        for t in range(latent.shape[1]):
            score, policy = step(latent[:, t], previous[:, t], self._cut(policy, t))
            scores.append(score)
        return torch.stack(scores, dim=1)

    def _cut(self, state: State, step: int) -> State:
        """What is carried to `step`; without its past, where gradients are cut off."""
        if self.truncate is None or step % self.truncate:
            return state
        return tree_map(lambda x: x.detach(), state)


def expanded(state: AgentState, count: int) -> AgentState:
    """The state of one episode as that of `count`, [count, ...]."""
    return tree_map(lambda x: x.expand(count, *x.shape), state)
