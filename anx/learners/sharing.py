"""Which candidates of a generation play the same episodes."""

from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from anx.errors import ConfigError
from anx.solvers.base import Solver
from anx.solvers.pairs import centred_ranks

Sharing = Literal["common", "pairs", "groups", "independent"]


def check_sharing(episodes: str, group_size: int, solver: Solver) -> None:
    """ConfigError unless candidates can share episodes like that.

    Args:
        episodes: how they share them.
        group_size: candidates that share, with `groups`.
        solver: whose candidates they are.
    """
    popsize, pairs = solver.popsize, solver.pairs
    if episodes not in get_args(Sharing):
        raise ConfigError(f"learner.episodes={episodes} is not one of {', '.join(get_args(Sharing))}")
    if episodes == "pairs" and not pairs:
        raise ConfigError("learner.episodes=pairs needs an optimizer whose candidates are pairs: pgpe or openai_es")
    if episodes == "groups" and solver.compares_generations:
        raise ConfigError(
            "learner.episodes=groups ranks fitness, which then says nothing of one generation beside another, as "
            f"optimizer={type(solver).__name__} asks; allowed: common, pairs, independent"
        )
    if episodes == "groups" and (group_size < 2 or popsize % group_size or (pairs and group_size % 2)):
        even = "an even number, " if pairs else ""
        raise ConfigError(
            f"learner.group_size={group_size} must be {even}at least 2 and divide optimizer.popsize={popsize}"
        )


def group_of(episodes: Sharing, group_size: int, popsize: int) -> Tensor | None:
    """Each candidate's group [P]; those of one group play the same episodes. None: all are one group."""
    sizes = {"common": popsize, "pairs": 2, "groups": group_size, "independent": 1}
    return None if episodes == "common" else torch.arange(popsize) // sizes[episodes]


def rank_within(fitness: Tensor, group: Tensor) -> Tensor:
    """Fitness [P] as centred ranks among the finite of one's group [P]; what is not finite stays what it is."""
    ranked = fitness.double().cpu().numpy().copy()
    for each in group.unique().numpy():
        own = (group.numpy() == each) & np.isfinite(ranked)
        if own.any():
            ranked[own] = centred_ranks(ranked[own])
    return torch.from_numpy(ranked).to(fitness.device)
