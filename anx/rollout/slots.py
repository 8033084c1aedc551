"""Slots of a vector environment that take one job (candidate, episode) after the other."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import torch
from gymnasium.spaces import Discrete, Space
from torch import Tensor

from anx.agent.agent import Agent, AgentState
from anx.envs.spaces import taking
from anx.envs.vector import Array, Flags, Info, SplitStep
from anx.internal.pytree import tree_map
from anx.perturb.base import Perturbation
from anx.perturb.pipeline import Pipeline
from anx.population import in_precision_of
from anx.progress import advance
from anx.rollout.jobs import Jobs, Own
from anx.spec import Spec

Drawn: TypeAlias = tuple[Tensor, ...]  # [B, 1, ...] each, what a perturbation has drawn
# `step(parameters [B, ...], drawn, observation [B, 1, ...], state [B, 1, ...])` -> action [B, 1, A], state
Step: TypeAlias = Callable[[Own, Drawn, Tensor, AgentState], tuple[Tensor, AgentState]]


class Slots:
    """The slots of one vector environment, and the jobs that they play.

    Args:
        agent: whose states they start from.
        agent_step: the agent's step, for all slots at once.
        spec: of the environment.
        envs: the vector environment.
        jobs: where the slots take jobs from and write what they came to.
        perturbations: of the inputs and of the actions.
    """

    def __init__(
        self,
        agent: Agent,
        agent_step: Step,
        spec: Spec,
        envs: SplitStep,
        jobs: Jobs,
        perturbations: Sequence[Perturbation],
    ) -> None:
        self.agent = agent
        self.agent_step = agent_step
        self.max_steps = spec.max_steps
        self.envs = envs
        self._to_space = into(envs.single_action_space)
        self.jobs = jobs
        self.perturbations = perturbations
        slots = envs.num_envs
        self.job = np.array([jobs.take() for _ in range(slots)])
        self.start = np.ones(slots, dtype=bool)  # slots whose job is new
        self.step = np.zeros(slots, dtype=np.int64)
        self.pipeline = [self._pipeline(0) for _ in range(slots)]
        self._reach = self.pipeline[0].reaching(2, spec)
        self.drawn: Drawn = ()  # [slots, 1, ...] each
        self.blank = tree_map(
            lambda x: in_precision_of(jobs.population, x), agent.initial_state(self.pipeline[0].num_inputs)
        )
        self.own = tree_map(lambda x: x[:1].expand(slots, *x.shape[1:]).clone(), jobs.parameters)  # leaves [slots, ...]
        self.state = tree_map(lambda x: x.expand(slots, 1, *x.shape).clone(), self.blank)
        self.observation: Array = np.empty(0)

    def _pipeline(self, job: int) -> Pipeline:
        return Pipeline(self.agent, self.perturbations, 1, int(self.jobs.seeds[job]))

    def act(self) -> None:
        """Start the new jobs and let the agents act on what they observe; the environments may step meanwhile."""
        jobs = self.jobs
        while self.start.any():
            self._start()
        playing = np.flatnonzero(self.job >= 0)
        drawn = [self.pipeline[slot].draw(int(self.step[slot])) for slot in playing] if self.perturbations else []
        if any(drawn) or not self.drawn:
            every = zip(*(pipeline.drawn for pipeline in self.pipeline), strict=True)
            self.drawn = tuple(torch.stack(each).to(jobs.population.device) for each in every)
        observation = torch.from_numpy(self.observation).to(jobs.population.device).unsqueeze(1)
        action, self.state = self.agent_step(self.own, self.drawn, observation, self.state)  # [slots, 1, A]
        self.envs.step_async(self._to_space(self._reach(action, self.drawn)[:, 0]))

    def _start(self) -> None:
        # A component may return a state whose numbers share their memory, with one another or with something else.
        self.state = tree_map(lambda x: x.clone(memory_format=torch.contiguous_format), self.state)
        for slot in np.flatnonzero(self.start):
            job = int(self.job[slot])
            candidate = job // self.jobs.episodes
            self.pipeline[slot] = self._pipeline(job)
            tree_map(lambda x, every: x[slot].copy_(every[candidate]), self.own, self.jobs.parameters)  # noqa: B023
            tree_map(lambda x, fresh: x[slot, 0].copy_(fresh), self.state, self.blank)  # noqa: B023
        self.step[self.start] = 0
        options = None if self.start.all() else {"reset_mask": self.start}
        seeds = self.jobs.seeds[self.job].tolist()
        self.observation, info = self.envs.reset(seed=seeds, options=options)
        self.start = self._lost(info)

    def _lost(self, info: Info) -> Flags:
        """The slots whose job has to begin again."""
        playing = self.job >= 0
        if "lost" not in info:
            return np.zeros_like(playing)
        lost, died = info["lost"] & playing, info["died"] & playing
        self.jobs.forget(self.job[lost], self.job[died])
        return lost

    def advance(self) -> bool:
        """Take what the environments answered, and act again; returns False where nothing is left to play."""
        self.observation, reward, terminated, truncated, info = self.envs.step_wait()
        lost = self._lost(info)
        self.step += 1
        playing = (self.job >= 0) & ~lost
        job = torch.from_numpy(self.job[playing]).to(self.jobs.returns.device)
        self.jobs.returns[job] += torch.from_numpy(reward[playing]).to(self.jobs.returns)
        self.jobs.lengths[job] += 1
        ended = playing & (terminated | truncated | (self.step >= self.max_steps))
        advance(int(ended.sum()))
        for slot in np.flatnonzero(ended):
            self.job[slot] = self.jobs.take()
        self.start = lost | (ended & (self.job >= 0))
        if (self.job < 0).all():
            return False
        self.act()
        return True


def to_space(action: Tensor, space: Space[Array]) -> Array:
    """Actions [slots, A] -> what the environments take: the greatest's index, or [-1, 1] stretched to their bounds."""
    return into(space)(action)


def into(space: Space[Array]) -> Callable[[Tensor], Array]:
    """`to_space` for one step after the other: what follows from the space is worked out once."""
    take = taking(space)
    if isinstance(space, Discrete):
        return lambda action: take(action.argmax(-1).cpu().numpy())
    return lambda action: take(action.float().cpu().numpy())
