"""The order in which lessons are taken."""

from collections.abc import Callable, Iterator

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from anx.data.base import Lesson
from anx.seeds import LESSONS, derive_seed


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


class Anew:
    """What can be gone through again and again, each time begun anew: batches that are made on the way.

    Args:
        begin: the first one and those behind it.
    """

    def __init__(self, begin: Callable[[], Iterator[Lesson]]) -> None:
        self.begin = begin

    def __iter__(self) -> Iterator[Lesson]:
        return self.begin()

    def __len__(self) -> int:
        """More than there will ever be. Where there is no length, Lightning takes a batch before it needs it: what the
        batch is made of would not know of the step before."""
        return 10**12


def in_turns(lessons: Dataset[Lesson], batches: InTurns, workers: int) -> DataLoader[Lesson]:
    """Lessons in batches, read ahead by so many processes."""
    return DataLoader(lessons, batch_sampler=batches, num_workers=workers, pin_memory=torch.cuda.is_available())
