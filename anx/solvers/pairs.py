"""What solvers that draw antithetic pairs have in common: the pairs, and fitness as ranks."""

import numpy as np

from anx.errors import ConfigError
from anx.seeds import SEARCH
from anx.solvers.base import Array, check_sizes


def check_pairs(popsize: int, sigma0: float) -> None:
    """ConfigError unless a search of that size is one, by pairs."""
    check_sizes(popsize, sigma0)
    if popsize % 2:
        raise ConfigError(f"popsize={popsize} must be even: the candidates are pairs")


def draw_noise(seed: int, generation: int, pairs: int, dimension: int) -> Array:
    """Standard normal numbers [P / 2, D] that depend on the arguments alone: there is no random state to carry."""
    return np.random.default_rng([seed, SEARCH, generation]).standard_normal((pairs, dimension))


def mirror(mean: Array, steps: Array) -> Array:
    """Candidates [P, D] around the mean [D]: for each step [P / 2, D] its two ends, one behind the other."""
    return mean + np.stack([steps, -steps], axis=1).reshape(-1, len(mean))


def ends(utilities: Array) -> tuple[Array, Array]:
    """Of values [P] of what `mirror` made, those of the steps' two ends, [P / 2] each: + and -."""
    return utilities[0::2], utilities[1::2]


def centred_ranks(fitness: Array) -> Array:
    """Ranks [P], from -0.5, the lowest fitness, to 0.5 (Salimans et al. 2017: fitness shaping).

    Equals share the mean of their ranks, so that all ranks sum to 0, and where all are equal, each is 0.
    """
    _, places, counts = np.unique(fitness, return_inverse=True, return_counts=True)
    ranks = counts.cumsum() - (counts + 1) / 2  # from 0, of each value
    return ranks[places] / max(len(fitness) - 1, 1) - (0.5 if len(fitness) > 1 else 0)
