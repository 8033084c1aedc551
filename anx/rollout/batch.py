"""Jobs (candidate, episode) that still run, as batches whose rows are candidates."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from anx.population import Packed

Write = Callable[[Tensor, Tensor, Tensor], None]  # what became of jobs [jobs]: `write(job, return, length)`

THIN = 0.8  # the fraction of a batch's episodes below which those that still run move together


class Numbers(NamedTuple):
    """What each job of a rollout is, [P * R]."""

    candidate: Tensor  # whose it is
    episode: Tensor  # which of the seed's


class Running(NamedTuple):
    """Jobs that still run."""

    job: Tensor  # [jobs], ordered by candidate
    row: Tensor  # [jobs], where each is in the leaves of `state`
    state: list[Tensor]  # leaves [rows, ...]: the environment's, the agent's, returns, lengths


class Batch:
    """Jobs that still run, arranged as B rows of T lanes, each row with jobs of one candidate.

    Args:
        jobs: that run.
        numbers: which candidate each of all jobs is of, and which of the seed's episodes it is, [P * R] each.
        parameters: every candidate's.
        lanes: T.
        multiple: of this B is one.
    """

    def __init__(self, jobs: Running, numbers: Numbers, parameters: Packed[object], lanes: int, multiple: int) -> None:
        row, source, self._valid = arrange(numbers.candidate[jobs.job], lanes, multiple)
        before = jobs.row[source]
        self._job = jobs.job[source]
        self.own = parameters[row]  # leaves [B, ...]
        self.episode = numbers.episode[self._job]  # [B, T]
        self.carried = [*(x[before] for x in jobs.state), self._valid]  # leaves [B, T, ...]
        self._count = len(jobs.job)

    def thins_out(self, carried: list[Tensor]) -> bool:
        """Whether so many episodes have ended that the others should move together."""
        return int(carried[-1].sum()) < THIN * self._count

    def end(self, carried: list[Tensor], write: Write) -> Running:
        """Write what became of each job; what goes on runs on."""
        *state, alive = (x.flatten(0, 1) for x in carried)
        row, job = self._valid.flatten().nonzero()[:, 0], self._job.flatten()
        write(job[row], state[-2][row], state[-1][row])
        row = row[alive[row]]
        return Running(job[row], row, state)


def arrange(candidate: Tensor, lanes: int, multiple: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    """Jobs, ordered by candidate -> a batch of B rows of T lanes, each row with jobs of one candidate.

    Args:
        candidate: [jobs], ascending.
        lanes: T.
        multiple: of this B is one.

    Returns:
        Each row's candidate [B], each lane's job [B, T], and whether that lane counts [B, T]; those that do not fill
        up a candidate's last row, or the last rows, and repeat a job.
    """
    counts = candidate.bincount()  # [P]
    rows = (counts + lanes - 1) // lanes
    row = torch.arange(len(counts), device=candidate.device).repeat_interleave(rows)  # [B]
    within = torch.arange(len(row), device=candidate.device) - (rows.cumsum(0) - rows)[row]
    offset = within.unsqueeze(1) * lanes + torch.arange(lanes, device=candidate.device)  # [B, T]
    count = counts[row].unsqueeze(1)
    first = (counts.cumsum(0) - counts)[row].unsqueeze(1)
    source, valid = first + torch.minimum(offset, count - 1), offset < count
    if missing := -len(row) % multiple:
        row = torch.cat([row, row[-1:].expand(missing)])
        source = torch.cat([source, source[-1:].expand(missing, -1)])
        valid = torch.cat([valid, valid.new_zeros(missing, lanes)])
    return row, source, valid
