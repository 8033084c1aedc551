"""An agent that plays in slots, as teachers do."""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor
from torch.func import vmap

from anx.agent.agent import Agent, AgentState
from anx.agent.base import State
from anx.agent.still import in_two, merged_latent, still_inputs
from anx.internal.pytree import tree_map
from anx.perturb.base import Perturbation
from anx.perturb.pipeline import Pipeline
from anx.teachers.base import Seen, Teacher


class Acting(Teacher):
    """Says what an agent would do; as in a rollout, perturbations befall its inputs, drawn from the episode's seed.

    Args:
        agent: whose parameters stay as they are, in the precision in which it acts.
        perturbations: of its inputs.
        merge: whether still inputs become one, where agents can do that (see `anx.agent.still`).
    """

    def __init__(self, agent: Agent, perturbations: Sequence[Perturbation] = (), *, merge: bool = True) -> None:
        self.agent = agent
        self.perturbations = tuple(perturbations)
        self.still = still_inputs(agent) if merge else None
        self.prepared = agent.prepare()
        pipeline = self._pipeline(0)
        self.sense = pipeline.batched(1)
        self.blank = agent.initial_state(pipeline.num_inputs)
        self._pipelines: list[Pipeline] = []  # of each slot
        self._steps: list[int] = []  # of each slot's episode
        self._state: AgentState | None = None  # leaves [S, ...]

    @torch.inference_mode()
    def __call__(self, seen: Seen) -> Tensor:
        before = seen.previous_actions.to(self.blank.previous_action)
        state = self._started(torch.from_numpy(seen.start).to(before.device))._replace(previous_action=before)
        observations = torch.from_numpy(seen.observations).to(before.device)
        inputs = self.sense(observations, self._drawn(seen)).to(before.dtype)  # [S, N', F]
        scores, self._state = self._answers(inputs, state)
        return scores.cpu()

    def _pipeline(self, seed: int) -> Pipeline:
        return Pipeline(self.agent, self.perturbations, 1, seed)

    def _drawn(self, seen: Seen) -> tuple[Tensor, ...]:
        """What befalls the inputs of this step, [S, ...] a perturbation."""
        if len(self._pipelines) != len(seen.start):
            self._pipelines = [self._pipeline(0) for _ in seen.start]
            self._steps = [0 for _ in seen.start]
        for slot, new in enumerate(seen.start.tolist()):
            if new:
                self._pipelines[slot], self._steps[slot] = self._pipeline(int(seen.seeds[slot])), 0
            self._pipelines[slot].draw(self._steps[slot])
            self._steps[slot] += 1
        each = zip(*(pipeline.drawn for pipeline in self._pipelines), strict=True)
        return tuple(torch.cat(drawn).to(self.blank.previous_action.device) for drawn in each)

    def _started(self, start: Tensor) -> AgentState:
        """The state of each slot, new where an episode begins."""
        fresh: AgentState = tree_map(lambda x: x.expand(len(start), *x.shape), self.blank)
        if self._state is None or bool(start.all()):
            return fresh
        return tree_map(partial(chosen, start), fresh, self._state)

    def _answers(self, inputs: Tensor, state: AgentState) -> tuple[Tensor, AgentState]:
        """Inputs [S, N', F], states -> scores [S, A], states."""
        if self.still is None:
            return vmap(self._whole)(inputs, state)
        rows, few = self.still.divide(inputs)
        return in_two(few, vmap(self._whole), vmap(self._merged), (inputs, state), rows)

    def _whole(self, inputs: Tensor, state: AgentState) -> tuple[Tensor, AgentState]:
        keys, values, neuron = self.agent.sense(inputs, state)
        return self._act(self.agent.pooler(self.prepared, keys, values), neuron, state)

    def _merged(self, inputs: Tensor, state: AgentState, rows: Tensor) -> tuple[Tensor, AgentState]:
        return self._act(*merged_latent(self.agent, self.prepared, inputs, state, rows), state)

    def _act(self, latent: Tensor, neuron: State, state: AgentState) -> tuple[Tensor, AgentState]:
        scores, _, after = self.agent.act(latent, neuron, state)
        return scores, after


def chosen(start: Tensor, fresh: Tensor, kept: Tensor) -> Tensor:
    """[S, ...], `fresh` where `start` [S]."""
    return torch.where(start.view(-1, *(1 for _ in fresh.shape[1:])), fresh, kept)
