"""A generation, rolled out by several processes: each plays some candidates, all learn what every one achieved."""

import zlib
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from anx.perturb.base import Perturbation
from anx.rollout.base import Episodes, Rollout, count_groups

Gather = Callable[[Tensor], Tensor]  # [...] of every process -> [processes, ...], the same for all of them


class PopulationsDifferError(ValueError):
    """Processes have asked for different candidates; the message says which process did."""


class Sharded:
    """Rolls out a population by all processes of a run, each of which calls it with the same population.

    Args:
        rollout: plays this process's candidates.
        gather: brings a tensor of every process to all of them.
        rank: of this process.
        processes: how many there are.
    """

    def __init__(self, rollout: Rollout, gather: Gather, rank: int, processes: int) -> None:
        self._rollout = rollout
        self._gather = gather
        self._rank = rank
        self._processes = processes

    def __call__(
        self,
        population: Tensor,
        episodes: int,
        seed: int,
        perturbations: Sequence[Perturbation] = (),
        *,
        training: bool = False,
        group: Tensor | None = None,
    ) -> Episodes:
        """Population [P, D] -> what one process alone would make of it, to the bit (see `Rollout.__call__`).

        Raises:
            PopulationsDifferError: the processes' populations are not the same: each would tell its solver what
                another's candidates achieved.
        """
        count = len(population)
        if self._processes == 1:
            return self._rollout(
                population, episodes, seed, perturbations, training=training, candidates=count, group=group
            )
        check_same(population, self._gather)
        own = torch.arange(count).tensor_split(self._processes)[self._rank]
        returns = population.new_zeros(count, episodes)  # what others play is 0 here
        steps = torch.zeros(count, episodes, dtype=torch.int32, device=population.device)
        if len(own):
            played = self._rollout(
                population[own],
                episodes,
                seed,
                perturbations,
                training=training,
                candidates=count,
                group=None if group is None else group[own],
                groups=count_groups(group),
            )
            returns[own], steps[own] = played
        return Episodes(self._gather(returns).sum(0), self._gather(steps).sum(0, dtype=torch.int32))


def check_same(population: Tensor, gather: Gather) -> None:
    """Raise PopulationsDifferError unless all processes have the same population [P, D]."""
    digest = zlib.crc32(population.cpu().numpy().tobytes())
    digests = gather(torch.tensor(digest, dtype=torch.int64, device=population.device)).tolist()
    for process, other in enumerate(digests):
        if other != digests[0]:
            raise PopulationsDifferError(f"process {process} asked for other candidates than process 0")
