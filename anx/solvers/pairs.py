"""What solvers that draw antithetic pairs have in common: the pairs, and what fitness is worth to them."""

from functools import lru_cache
from typing import Literal, get_args

import numpy as np

from anx.errors import ConfigError
from anx.solvers.base import Array, check_sizes, randomness

Shaping = Literal["ranks", "normalised"]


def check_pairs(popsize: int, sigma0: float) -> None:
    """ConfigError unless a search of that size is one, by pairs."""
    check_sizes(popsize, sigma0)
    if popsize % 2:
        raise ConfigError(f"popsize={popsize} must be even: the candidates are pairs")


@lru_cache(maxsize=1)  # asking and telling need the same ones
def draw_noise(seed: int, generation: int, pairs: int, dimension: int) -> Array:
    """Standard normal numbers [P / 2, D] of a generation, to be read only."""
    noise = randomness(seed, generation).standard_normal((pairs, dimension))
    noise.flags.writeable = False
    return noise


def mirror(mean: Array, steps: Array) -> Array:
    """Candidates [P, D] around the mean [D]: for each step [P / 2, D] its two ends, one behind the other."""
    return mean + np.stack([steps, -steps], axis=1).reshape(-1, len(mean))


def ends(utilities: Array) -> tuple[Array, Array]:
    """Of values [P] of what `mirror` made, those of the steps' two ends, [P / 2] each: + and -."""
    return utilities[0::2], utilities[1::2]


def shape(fitness: Array, shaping: str) -> Array:
    """Utilities [P] of fitness [P], whose mean is 0: centred ranks, or returns as they are, less their mean and over
    their standard deviation.

    Ranks stand any outlier. They also make as much of a difference between two candidates that have both failed as of
    one between failure and success: where each pair plays an episode of its own and many are lost from the start, that
    is mostly noise.
    """
    if shaping == "ranks":
        return centred_ranks(fitness)
    spread = float(fitness.std())
    return (fitness - fitness.mean()) / (spread if spread > 0 else 1.0)


def check_decays(**decays: float) -> None:
    """ConfigError, with its name, for a decay that is none."""
    for name, decay in decays.items():
        if not 0 < decay <= 1:
            raise ConfigError(f"{name}={decay} must be greater than 0 and at most 1")


def check_shaping(shaping: str) -> None:
    """ConfigError unless fitness can be shaped so."""
    if shaping not in get_args(Shaping):
        raise ConfigError(f"shaping={shaping} is not one of {', '.join(get_args(Shaping))}")


def centred_ranks(fitness: Array) -> Array:
    """Ranks [P], from -0.5, the lowest fitness, to 0.5 (Salimans et al. 2017: fitness shaping).

    Equals share the mean of their ranks, so that all ranks sum to 0, and where all are equal, each is 0.
    """
    _, places, counts = np.unique(fitness, return_inverse=True, return_counts=True)
    ranks = counts.cumsum() - (counts + 1) / 2  # from 0, of each value
    return ranks[places] / max(len(fitness) - 1, 1) - (0.5 if len(fitness) > 1 else 0)
