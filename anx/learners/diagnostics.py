"""What a training by evolution has come to so far, and how far its ranking of the candidates can be believed."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

import numpy as np
from torch import Tensor

from anx.learners.base import Metric
from anx.learners.sharing import rank_within
from anx.rollout.base import Episodes
from anx.solvers.base import Array
from anx.solvers.pairs import centred_ranks

# Of populations that are played by a cluster's workers.
OF_CLUSTERS = (
    Metric("workers", "cluster/workers", "{:.0f}"),
    Metric("busy", "cluster/busy", "{:.0%}"),
    Metric("redone", "cluster/redone", "{:.0f}"),
)


@dataclass
class Totals:
    """Sums over a run's generations, those before it was resumed among them."""

    evaluations: int = 0  # episodes played in training, by all processes
    env_steps: int = 0  # simulated in them
    core_seconds: float = 0.0  # wall time of the generations, times the cores that the run may keep busy
    squared_sigmas: float = 0.0  # the sum of sigma^2
    mean_path: float = 0.0  # the sum of the lengths of the mean's steps

    def add(self, episodes: Episodes, core_seconds: float, step: Array, sigma: float | None) -> None:
        """Count a generation.

        Args:
            episodes: of all candidates, [P, R].
            core_seconds: that it took.
            step: of the mean, [D].
            sigma: of the solver after it, as it is logged; None: it has none.
        """
        self.evaluations += episodes.steps.numel()
        self.env_steps += int(episodes.steps.sum())
        self.core_seconds += core_seconds
        self.squared_sigmas += (sigma or 0.0) ** 2
        self.mean_path += length(step)

    def metrics(self, mean: Array, sigma: float | None) -> dict[str, float]:
        """What to log, by the metric's name.

        A coordinate that changes nothing walks at random, by a part of sigma a generation that depends on the solver
        alone (with CMA-ES: one by the root of its effective number of parents). `train/sigma_walk`, the root of the
        sum of sigma^2, is how far it would get on average with whole ones.

        Args:
            mean: of the solver, [D], seen from where the search started.
            sigma: as `add` has it.
        """
        return {
            "train/evaluations": self.evaluations,
            "train/env_steps": self.env_steps,
            "train/mean_norm": length(mean),
            "train/mean_path": self.mean_path,
            "perf/core_hours": self.core_seconds / 3600,
            **({} if sigma is None else {"train/sigma_walk": math.sqrt(self.squared_sigmas)}),
        }

    def to_data(self) -> dict[str, float]:
        """What a checkpoint keeps."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: Mapping[str, float]) -> "Totals":
        """Go on from there; what an older version did not count begins at 0."""
        totals = cls()
        for name in data.keys() & {field.name for field in fields(cls)}:
            setattr(totals, name, data[name])
        return totals


def length(vector: Array) -> float:
    """The Euclidean norm of [D], summed in one order on any number of cores."""
    return math.sqrt(np.square(vector).sum())


def rank_correlation(returns: Tensor, group: Tensor | None = None) -> float:
    """Spearman's, over the candidates, between their mean return in the first half of their episodes and in the second.

    It is 1 where other episodes would rank the candidates the same, 0 where the ranking is chance. The ranking by all
    episodes is somewhat better than that by half of them. Candidates whose fitness is not finite are left out; where
    all that remain are equal in a half, it is 0.

    Args:
        returns: of the episodes, [P, R], R at least 2; of an odd number the second half has one more.
        group: each candidate's [P], within which alone candidates are ranked; None: all are one group.
    """
    returns = returns.double()
    finite = returns.mean(1).isfinite()
    returns, half = returns[finite], returns.shape[1] // 2
    halves = [returns[:, :half].mean(1), returns[:, half:].mean(1)]  # [P] each
    if group is not None:
        halves = [rank_within(each, group[finite.cpu()]) for each in halves]
    first, second = (centred_ranks(each.cpu().numpy()) for each in halves)  # of mean 0
    scale = math.sqrt(np.square(first).sum() * np.square(second).sum())
    return float((first * second).sum() / scale) if scale else 0.0
