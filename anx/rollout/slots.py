"""Slots of a gymnasium vector environment that take one job (candidate, episode) after the other."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Discrete
from torch import Tensor

from anx.agent.agent import Agent
from anx.envs.spaces import taken
from anx.internal.pytree import tree_map
from anx.perturb.inputs import Perturbation
from anx.perturb.pipeline import Sensing
from anx.population import in_precision_of, prepare, unflatten

Step = Callable[..., Any]

DEATHS = 3  # of one job's process, that end a rollout


class Jobs:
    """P x R episodes: what is still to play, and what those that were played came to."""

    def __init__(self, agent: Agent, population: Tensor, episodes: int, seed: int) -> None:
        self.population = population
        named = unflatten(agent, population)
        self.parameters = (named, prepare(agent, named))  # leaves [P, ...]
        self.episodes = episodes
        self.count = len(population) * episodes
        self.seeds = episode_seeds(seed, episodes)
        self.returns = population.new_zeros(self.count)
        self.lengths = torch.zeros(self.count, dtype=torch.int32, device=population.device)
        self.deaths = np.zeros(self.count, dtype=np.int64)
        self._next = 0
        self._lock = threading.Lock()

    def take(self) -> int:
        """The next job; -1: nothing is left."""
        with self._lock:
            job = self._next if self._next < self.count else -1
            self._next += 1
        return job

    def forget(self, jobs: np.ndarray, died: np.ndarray) -> None:
        """Begin `jobs` again, since a process of the environment is gone; raise where `died`, jobs that may be the
        cause, did that before and before."""
        self.returns[torch.from_numpy(jobs)] = 0
        self.lengths[torch.from_numpy(jobs)] = 0
        self.deaths[died] += 1
        for job in died[self.deaths[died] == DEATHS]:
            candidate, episode = divmod(int(job), self.episodes)
            raise RuntimeError(
                f"the environment's process died {DEATHS} times while it played candidate {candidate}, episode "
                f"{episode} (the environment's seed {self.seeds[episode]})"
            )


class Share:
    """The slots of one vector environment, and the jobs that they play."""

    def __init__(
        self,
        agent: Agent,
        agent_step: Step,
        max_steps: int,
        envs: Any,
        jobs: Jobs,
        perturbations: Sequence[Perturbation],
    ) -> None:
        self.agent = agent
        self.agent_step = agent_step
        self.max_steps = max_steps
        self.envs = envs
        self.jobs = jobs
        self.perturbations = perturbations
        slots = envs.num_envs
        self.job = np.array([jobs.take() for _ in range(slots)])
        self.start = np.ones(slots, dtype=bool)  # slots whose job is new
        self.step = np.zeros(slots, dtype=np.int64)
        self.sensing = [self._sensing(0) for _ in range(slots)]
        self.drawn: tuple[Tensor, ...] = ()  # [slots, 1, ...] each
        self.blank = tree_map(
            lambda x: in_precision_of(jobs.population, x), agent.initial_state(self.sensing[0].num_inputs)
        )
        self.own = tree_map(lambda x: x[:1].expand(slots, *x.shape[1:]).clone(), jobs.parameters)  # leaves [slots, ...]
        self.state = tree_map(lambda x: x.expand(slots, 1, *x.shape).clone(), self.blank)
        self.observation: Any = None

    def _sensing(self, episode: int) -> Sensing:
        return Sensing(self.agent, self.perturbations, 1, int(self.jobs.seeds[episode]))

    def act(self) -> None:
        """Start the new jobs and let the agents act on what they observe; the environments may step meanwhile."""
        jobs = self.jobs
        while self.start.any():
            self._start()
        playing = np.flatnonzero(self.job >= 0)
        drawn = [self.sensing[slot].draw(int(self.step[slot])) for slot in playing] if self.perturbations else []
        if any(drawn) or not self.drawn:
            every = zip(*(sensing.drawn for sensing in self.sensing), strict=True)
            self.drawn = tuple(torch.stack(each).to(jobs.population.device) for each in every)
        observation = torch.from_numpy(self.observation).to(jobs.population.device).unsqueeze(1)
        action, self.state = self.agent_step(self.own, self.drawn, observation, self.state)  # [slots, 1, A]
        self.action = to_space(action[:, 0], self.envs.single_action_space)
        if hasattr(self.envs, "step_async"):
            self.envs.step_async(self.action)

    def _start(self) -> None:
        # A component may return a state whose numbers share their memory, with one another or with something else.
        self.state = tree_map(lambda x: x.clone(memory_format=torch.contiguous_format), self.state)
        for slot in np.flatnonzero(self.start):
            candidate, episode = divmod(int(self.job[slot]), self.jobs.episodes)
            self.sensing[slot] = self._sensing(episode)
            tree_map(lambda x, every: x[slot].copy_(every[candidate]), self.own, self.jobs.parameters)  # noqa: B023
            tree_map(lambda x, fresh: x[slot, 0].copy_(fresh), self.state, self.blank)  # noqa: B023
        self.step[self.start] = 0
        options = None if self.start.all() else {"reset_mask": self.start}
        seeds = self.jobs.seeds[self.job % self.jobs.episodes].tolist()
        self.observation, info = self.envs.reset(seed=seeds, options=options)
        self.start = self._lost(info)

    def _lost(self, info: dict[str, Any]) -> np.ndarray:
        """The slots whose job has to begin again."""
        playing = self.job >= 0
        if "lost" not in info:
            return np.zeros_like(playing)
        lost, died = info["lost"] & playing, info["died"] & playing
        self.jobs.forget(self.job[lost], self.job[died])
        return lost

    def advance(self) -> bool:
        """Take what the environments answered, and act again; returns False where nothing is left to play."""
        answer = self.envs.step_wait() if hasattr(self.envs, "step_async") else self.envs.step(self.action)
        self.observation, reward, terminated, truncated, info = answer
        lost = self._lost(info)
        self.step += 1
        playing = (self.job >= 0) & ~lost
        place = torch.from_numpy(self.job[playing]).to(self.jobs.returns.device)
        self.jobs.returns[place] += torch.from_numpy(reward[playing]).to(self.jobs.returns)
        self.jobs.lengths[place] += 1
        ended = playing & (terminated | truncated | (self.step >= self.max_steps))
        for slot in np.flatnonzero(ended):
            self.job[slot] = self.jobs.take()
        self.start = lost | (ended & (self.job >= 0))
        if (self.job < 0).all():
            return False
        self.act()
        return True


def to_space(action: Tensor, space: Any) -> np.ndarray:
    """Actions [slots, A] -> what the environments take: the greatest's index, or [-1, 1] stretched to their bounds."""
    return taken((action.argmax(-1) if isinstance(space, Discrete) else action.float()).cpu().numpy(), space)


def episode_seeds(seed: int, episodes: int) -> np.ndarray:
    """The environment's seed for each episode; more episodes leave the first ones' as they were."""
    seeds = [np.random.SeedSequence((seed, episode)).generate_state(1)[0] >> 1 for episode in range(episodes)]
    return np.array(seeds, dtype=np.int64)
