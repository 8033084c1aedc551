"""Jobs (candidate, episode) that still run, as batches whose rows are candidates."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from anx.population import Packed

THIN = 0.8  # the share of a batch's episodes below which those that still run move together


class Running(NamedTuple):
    """Jobs that still run."""

    job: Tensor  # [jobs], ordered by candidate
    place: Tensor  # [jobs], where each is in the leaves of `state`
    state: list[Tensor]  # leaves [places, ...]: the environment's, the agent's, returns, lengths


class Batch:
    """Jobs that still run, arranged as B rows of T lanes, each row with jobs of one candidate.

    Args:
        jobs: that run.
        episodes: R.
        parameters: every candidate's.
        lanes: T.
        multiple: of this B is one.
    """

    def __init__(self, jobs: Running, episodes: int, parameters: Packed, lanes: int, multiple: int) -> None:
        row, source, self._valid = arrange(jobs.job // episodes, lanes, multiple)
        place = jobs.place[source]
        self._job = jobs.job[source]
        self.own = parameters[row]  # leaves [B, ...]
        self.episode = self._job % episodes  # [B, T]
        self.carried = [*(x[place] for x in jobs.state), self._valid]  # leaves [B, T, ...]
        self._count = len(jobs.job)

    def thins_out(self, carried: list[Tensor]) -> bool:
        """Whether so many episodes have ended that the others should move together."""
        return int(carried[-1].sum()) < THIN * self._count

    def end(self, carried: list[Tensor], write: Callable[[Tensor, Tensor, Tensor], None]) -> Running:
        """Write what became of each job, `write(job, return, length)`; what goes on runs on."""
        *state, alive = (x.flatten(0, 1) for x in carried)
        place, job = self._valid.flatten().nonzero()[:, 0], self._job.flatten()
        write(job[place], state[-2][place], state[-1][place])
        place = place[alive[place]]
        return Running(job[place], place, state)


def arrange(candidate: Tensor, lanes: int, multiple: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    """Jobs, ordered by candidate -> a batch of B rows of T lanes, each row with jobs of one candidate.

    Args:
        candidate: [jobs], ascending.
        lanes: T.
        multiple: of this B is one.

    Returns:
        Each row's candidate [B], each place's job [B, T], and whether that place counts [B, T]; those that do not fill
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
