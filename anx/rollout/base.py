"""What a rollout is: a population and a seed in, returns out."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from anx.envs.perturbations import Perturbation


class Episodes(NamedTuple):
    """What P candidates achieved in R episodes."""

    returns: Tensor  # [P, R], float
    steps: Tensor  # [P, R], int


class Trace(NamedTuple):
    """One episode, step by step: T steps."""

    observations: Tensor  # [T, ...], as the environment gives them
    inputs: Tensor  # [T, N, F], as the neurons get them
    origins: Tensor  # [T, N], which of the splitter's inputs each one is; -1 for one that noise added
    attention: Tensor  # [T, N, M]; M = 0 for an agent without attention
    latents: Tensor  # [T, M, V]
    actions: Tensor  # [T, A]
    rewards: Tensor  # [T]


class Rollout(ABC):
    """Rolls out populations of one agent in one environment."""

    evaluation_dtype = torch.float32

    @abstractmethod
    def __call__(
        self,
        population: Tensor,
        episodes: int,
        seed: int,
        perturbations: Sequence[Perturbation] = (),
        *,
        training: bool = False,
    ) -> Episodes:
        """Population [P, D] -> what each candidate achieved in the same `episodes` episodes drawn from `seed`.

        Reward after an episode's end is never counted. What the perturbations draw does not change the episodes. Some
        environments are rewarded differently in training.
        """

    @abstractmethod
    def trace(self, vector: Tensor, seed: int, perturbations: Sequence[Perturbation] = ()) -> Trace:
        """Parameters [D] -> the first episode of `seed`, with everything that happened in it."""

    def close(self) -> None:  # noqa: B027 (most rollouts hold nothing)
        """Give back what the rollout holds: processes, threads, emulators."""
