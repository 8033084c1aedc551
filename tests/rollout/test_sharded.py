from functools import partial

import pytest
import torch

from anx.rollout.base import Episodes
from anx.rollout.sharded import PopulationsDifferError, Sharded


class Products:
    """A rollout whose returns are products of a candidate's first number and of the episode's."""

    def __init__(self):
        self.played = []

    def __call__(
        self, population, episodes, seed, perturbations=(), *, training=False, candidates=None, group=None, groups=None
    ):
        self.played.append((len(population), training, candidates, groups))
        own = torch.zeros(len(population)) if group is None else group
        numbers = torch.arange(1, episodes + 1) + seed + 10 * own[:, None]
        return Episodes(population[:, :1] * numbers, (population[:, :1] * 0 + numbers).int())


def gathered_of(population, processes, episodes, seed, group):
    """What all processes give to be gathered, call by call."""
    given = [[] for _ in range(processes)]

    def give(rank, tensor):
        given[rank].append(tensor)
        return tensor.unsqueeze(0)

    for rank in range(processes):
        Sharded(Products(), partial(give, rank), rank, processes)(population, episodes, seed, group=group)
    return [torch.stack(each) for each in zip(*given, strict=True)]


@pytest.mark.parametrize(("candidates", "processes"), [(7, 2), (7, 3), (2, 4)])
@pytest.mark.parametrize("groups", [1, 3])
def test_processes_that_share_the_candidates_learn_what_one_alone_would(candidates, processes, groups):
    group = torch.arange(candidates) % groups if groups > 1 else None
    population = torch.randn(candidates, 3, generator=torch.Generator().manual_seed(0))
    alone = Sharded(Products(), pytest.fail, 0, 1)(population, 4, 5, training=True, group=group)
    everything = gathered_of(population, processes, 4, 5, group)
    for rank in range(processes):
        answers, rollout = iter(everything), Products()
        sharded = Sharded(rollout, lambda tensor: next(answers), rank, processes)  # noqa: B023
        ours = sharded(population, 4, 5, training=True, group=group)
        assert torch.equal(ours.returns, alone.returns)
        assert torch.equal(ours.steps, alone.steps)
        assert (ours.returns.dtype, ours.steps.dtype) == (alone.returns.dtype, alone.steps.dtype)
        share = len(torch.arange(candidates).tensor_split(processes)[rank])
        assert rollout.played == (
            [(share, True, candidates, min(groups, candidates))] if share else []
        )  # never an empty population


def test_a_process_that_has_another_population_is_named():
    def gather(digest):
        return torch.stack([digest, digest, digest + 1])

    with pytest.raises(PopulationsDifferError, match="process 2 asked for other candidates than process 0"):
        Sharded(Products(), gather, 0, 3)(torch.zeros(4, 3), 2, 0)
