"""The jobs (candidate, episode) of one rollout on slots: what is still to play, and what the others came to."""

import threading
from collections.abc import Iterable
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anx.agent.agent import Agent
from anx.internal.pytree import Tree
from anx.population import Parameters, prepare, unflatten
from anx.rollout.base import episode_numbers

Own: TypeAlias = tuple[Parameters, Tree]  # a candidate's parameters, and what was prepared from them

DEATHS = 3  # of one job's process, that end a rollout


class Jobs:
    """P x R episodes.

    Args:
        agent: the module whose parameters the population's vectors are.
        population: [P, D].
        episodes: R.
        seed: of the episodes.
        group: of each candidate [P], or None (see `Rollout.__call__`).
    """

    def __init__(self, agent: Agent, population: Tensor, episodes: int, seed: int, group: Tensor | None = None) -> None:
        self.population = population
        named = unflatten(agent, population)
        self.parameters: Own = (named, prepare(agent, named))  # leaves [P, ...]
        self.episodes = episodes
        self.count = len(population) * episodes
        numbers, place = np.unique(episode_numbers(len(population), episodes, group), return_inverse=True)
        self.seeds = seeds_of(seed, numbers)[place]  # [jobs]
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

    def forget(self, jobs: NDArray[np.int64], died: NDArray[np.int64]) -> None:
        """Begin `jobs` again, since a process of the environment is gone; raise where `died`, jobs that may be the
        cause, did that before and before."""
        self.returns[torch.from_numpy(jobs)] = 0
        self.lengths[torch.from_numpy(jobs)] = 0
        self.deaths[died] += 1
        for job in died[self.deaths[died] == DEATHS]:
            candidate, episode = divmod(int(job), self.episodes)
            raise RuntimeError(
                f"the environment's process died {DEATHS} times while it played candidate {candidate}, episode "
                f"{episode} (the environment's seed {self.seeds[job]})"
            )


def episode_seeds(seed: int, episodes: int) -> NDArray[np.int64]:
    """The environment's seed for each of the first episodes; more of them leave these as they were."""
    return seeds_of(seed, range(episodes))


def seeds_of(seed: int, episodes: Iterable[int]) -> NDArray[np.int64]:
    """The environment's seeds for some of a seed's episodes, by their numbers."""
    seeds = [np.random.SeedSequence((seed, int(episode))).generate_state(1)[0] >> 1 for episode in episodes]
    return np.array(seeds, dtype=np.int64)
