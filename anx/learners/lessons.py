"""What a learner that imitates is taught with: stretches of episodes, and what a teacher says to each step of them."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from anx.seeds import LESSONS, derive_seed


class Lesson(NamedTuple):
    """T steps of an episode; in a batch [B, T, ...]."""

    observations: Tensor  # [T, ...], as the environment gives them
    previous_actions: Tensor  # [T, A], 0 at an episode's first step
    scores: Tensor  # [T, A], the teacher's, from which it makes its actions as an agent does
    weights: Tensor  # [T], 0 where a step does not count: behind an episode's end


class Lessons(ABC, Dataset[Lesson]):
    """Lessons of one length, each always in its place; a learner draws the order in which it takes them."""

    @abstractmethod
    def __len__(self) -> int:
        """How many there are."""

    @abstractmethod
    def __getitem__(self, index: int) -> Lesson:
        """One of them, on the CPU."""


class InTurns(Sampler[list[int]]):
    """Batches without end: each epoch has every lesson once, in an order of its own. What is left over waits for
    another epoch. Batch n is the same whichever was the first.

    Args:
        count: of lessons.
        size: lessons in a batch.
        seed: of the run.
        first: batch; a resumed run goes on where it was.
        rank: of this process, which gets its part of each batch.
        processes: that share a batch.
    """

    def __init__(self, count: int, size: int, seed: int, *, first: int = 0, rank: int = 0, processes: int = 1) -> None:
        self.count = count
        self.size = size
        self.seed = seed
        self.first = first
        self.rank = rank
        self.processes = processes

    def __iter__(self) -> Iterator[list[int]]:
        each = self.count // self.size  # batches in an epoch
        epoch, skipped = divmod(self.first, each)
        while True:
            generator = torch.Generator().manual_seed(derive_seed(self.seed, LESSONS, epoch))
            order = torch.randperm(self.count, generator=generator)[: each * self.size]
            for batch in order.view(each, self.size)[skipped:].tolist():
                yield batch[self.rank :: self.processes]
            epoch, skipped = epoch + 1, 0


def in_turns(lessons: Lessons, batches: InTurns, workers: int) -> DataLoader[Lesson]:
    """Lessons in batches, read ahead by so many processes."""
    return DataLoader(lessons, batch_sampler=batches, num_workers=workers, pin_memory=torch.cuda.is_available())
