"""What an agent that imitates is taught with: stretches of episodes, and what a teacher says to each step of them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor
from torch.utils.data import Dataset


class Lesson(NamedTuple):
    """T steps of an episode; in a batch [B, T, ...]."""

    observations: Tensor  # [T, ...], as the environment gives them
    previous_actions: Tensor  # [T, A], 0 at an episode's first step
    scores: Tensor  # [T, A], the teacher's, from which it makes its actions as an agent does
    weights: Tensor  # [T], 0 where a step does not count: behind an episode's end


class Lessons(ABC, Dataset[Lesson]):
    """Lessons of one length, each always in its place; a learner draws the order in which it takes them."""

    env: Mapping[str, object] | None = None  # what configures the environment that they are from, where that is known

    @abstractmethod
    def __len__(self) -> int:
        """How many there are."""

    @abstractmethod
    def __getitem__(self, index: int) -> Lesson:
        """One of them, on the CPU."""
