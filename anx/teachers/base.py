"""What a teacher is: it says to every step of an episode what it would do, whoever acts."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from anx.envs.vector import Array, Flags, Pixels


class Seen(NamedTuple):
    """What is known before a step, of S slots that play side by side."""

    start: Flags  # [S], whose episode begins
    observations: Array  # [S, ...], as agents get them
    previous_actions: Tensor  # [S, A], what was done last, by whomever; 0 where an episode begins
    memory: Pixels  # [S, bytes], of the slots' machines; [S, 0] for a teacher that does not read it
    seeds: NDArray[np.int64]  # [S], from which each slot's episode is drawn


class Teacher(ABC):
    """Says what to do. What it remembers of a slot's episode begins anew where `seen.start` says so."""

    reads_memory: bool = False  # whether it needs `seen.memory`
    recalls: bool = False  # whether what it says depends on what it said in episodes before

    @abstractmethod
    def __call__(self, seen: Seen) -> Tensor:
        """What is known -> scores [S, A]: an action follows from them as from an agent's (`Agent.as_action`)."""

    def recall(self, observations: Array, previous_actions: Tensor, scores: Tensor) -> None:  # noqa: B027
        """Take note of what it said before this process: to observations [T, ...] after actions [T, A], scores [T, A].
        A recording or a training that goes on tells one that `recalls`; most teachers need not know."""
