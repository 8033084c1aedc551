"""An agent, episodes, perturbations -> returns and what they come to."""

import math
import time
from collections.abc import Sequence
from typing import NamedTuple, TypedDict

import torch
from torch import Tensor

from anx.agent.agent import Agent
from anx.perturb.base import Perturbation
from anx.population import get_vector
from anx.rollout.base import Rollout


class Evaluation(NamedTuple):
    """What one agent achieved."""

    returns: Tensor  # [R]
    steps: Tensor  # [R]
    seconds: float

    @property
    def mean(self) -> float:
        """The mean return."""
        return float(summarise(self.returns)["mean"])

    @property
    def std(self) -> float:
        """The standard deviation of a return; 0 of a single one."""
        return float(summarise(self.returns)["std"])

    @property
    def sem(self) -> float:
        """The standard error of the mean."""
        return float(summarise(self.returns)["sem"])


def evaluate(
    agent: Agent, rollout: Rollout, episodes: int, seed: int, perturbations: Sequence[Perturbation] = ()
) -> Evaluation:
    """R episodes of an agent, in the precision that its rollout is evaluated in."""
    start = time.perf_counter()
    vector = get_vector(agent).to(rollout.evaluation_dtype)
    achieved = rollout(vector.unsqueeze(0), episodes, seed, perturbations)
    return Evaluation(achieved.returns[0], achieved.steps[0], time.perf_counter() - start)


class Statistics(TypedDict):
    """What the returns of some episodes come to."""

    mean: float
    std: float  # of a sample; 0 of a single return
    sem: float  # the mean's standard error
    episodes: int


def summarise(returns: Tensor) -> Statistics:
    """Mean, standard deviation and standard error of returns [R]."""
    returns = returns.double()
    std = returns.std(correction=1).item() if len(returns) > 1 else 0.0
    return {
        "mean": returns.mean().item(),
        "std": std,
        "sem": std / math.sqrt(len(returns)),
        "episodes": len(returns),
    }


def fraction_that_differs(a: Tensor, b: Tensor, tolerance: float = 1e-3) -> float:
    """The fraction of episodes whose returns are further apart than `tolerance`."""
    return ((a - b).abs() > tolerance).to(torch.float64).mean().item()
