"""What a rollout is: a population and a seed in, returns out."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anx.agent.agent import Agent
from anx.perturb.base import Perturbation
from anx.rollout.trace import Moment, Trace, trace_of
from anx.spec import Specified


class Episodes(NamedTuple):
    """What P candidates achieved in R episodes."""

    returns: Tensor  # [P, R], float
    steps: Tensor  # [P, R], int


class Rollout(ABC):
    """Rolls out populations of one agent in one environment."""

    evaluation_dtype = torch.float32
    agent: Agent  # whose parameters the population's vectors are
    env: Specified  # that it acts in
    takes: ClassVar[str | None] = None  # what the environments that it can play call it in `rollout`; None: any
    statistics: Mapping[str, float] = MappingProxyType({})  # what a run logs of how the last population was played

    @abstractmethod
    def __call__(
        self,
        population: Tensor,
        episodes: int,
        seed: int,
        perturbations: Sequence[Perturbation] = (),
        *,
        training: bool = False,
        repeated: bool = False,
        candidates: int | None = None,
        group: Tensor | None = None,
        groups: int | None = None,
    ) -> Episodes:
        """Population [P, D] -> what each candidate achieved in `episodes` episodes drawn from `seed`.

        Reward after an episode's end is never counted. What the perturbations draw does not change the episodes. Some
        environments are rewarded differently in training. Where the population is one process's part of a generation,
        `candidates` is how many the generation has: what is worth compiling is decided on it, by all processes alike.

        Args:
            population: P candidates, D parameters each, on the device and in the precision in which they act.
            episodes: R.
            seed: of the episodes; the same seed gives the same ones.
            perturbations: of the inputs and of the actions, in this order.
            training: whether it is training.
            repeated: whether a single candidate is played like this time and again, as validations do: it is worth
                compiling, then.
            candidates: P, or, of a part of a generation, the generation's.
            group: each candidate's [P], from 0. Those of one group play the same episodes, those of another others: the
                r-th of a candidate is number group * R + r of the seed's. None: all are group 0.
            groups: of a part of a generation, how many the generation has: as many episodes are drawn for every part.
                None: no more than are here.
        """

    @abstractmethod
    def watch(
        self, vector: Tensor, seed: int, perturbations: Sequence[Perturbation] = (), *, pictures: bool = False
    ) -> Iterator[Moment]:
        """Parameters [D] -> the first episode of `seed`, step by step; with what a person would see, if asked for."""

    def trace(self, vector: Tensor, seed: int, perturbations: Sequence[Perturbation] = ()) -> Trace:
        """Parameters [D] -> the first episode of `seed`, as long as it may be in bounded memory."""
        return trace_of(self.watch(vector, seed, perturbations))

    def from_env(self, observation: NDArray[np.generic]) -> NDArray[np.generic]:
        """What its environment gives -> what its agent takes."""
        return observation

    def for_env(self, action: Tensor) -> NDArray[np.generic]:
        """An action [A] as its environment takes it: the index [] of the button, or numbers [A]."""
        if self.env.spec.discrete:
            return np.asarray(action.argmax(-1).cpu())
        return np.asarray(action.float().cpu())

    def close(self) -> None:  # noqa: B027 (most rollouts hold nothing)
        """Give back what the rollout holds: processes, threads, emulators."""


def count_groups(group: Tensor | None) -> int:
    """How many groups a generation [P] has, at least."""
    return 1 if group is None else int(group.max()) + 1


def episode_numbers(candidates: int, episodes: int, group: Tensor | None) -> Tensor:
    """Which of a seed's episodes each job is, [P * R], ordered by candidate (see `Rollout.__call__`)."""
    own = torch.arange(episodes).repeat(candidates)
    return own if group is None else own + episodes * group.cpu().repeat_interleave(episodes)
