"""Which points a sweep runs: all of a grid, random ones, or those that a search proposes from the results so far."""

import itertools
import math
import random
from collections.abc import Mapping
from typing import Any

import nevergrad as ng
import numpy as np

from anx.sweep.distribution import Choice, Distribution, Point

SEED = 0  # of every search: the same results lead to the same proposals, so that a sweep goes on where it was
# A (1+1) evolution strategy for numbers and names at once, where W&B has a Gaussian process. Of eight solvers of
# nevergrad's none did better within 24 runs of two synthetic problems, and it need not know the number of runs.
BAYES = "PortfolioDiscreteOnePlusOne"
FAILED = 1e20  # the loss of a point that failed: the solver compares only


class Grid:
    """Every combination of values, the last key varying fastest; `size` of them."""

    def __init__(self, parameters: Mapping[str, Distribution]) -> None:
        values = [each.values for each in parameters.values() if isinstance(each, Choice)]  # a grid has no others
        self.size = math.prod(map(len, values))
        self._points = (dict(zip(parameters, each, strict=True)) for each in itertools.product(*values))

    def ask(self) -> Point:
        return next(self._points)

    def tell(self, point: Point, value: float | None) -> None:
        """A grid does not care."""


class Random:
    """Points drawn independently of the results."""

    def __init__(self, parameters: Mapping[str, Distribution]) -> None:
        self._parameters = parameters
        self._generator = random.Random(SEED)

    def ask(self) -> Point:
        return {key: each.sample(self._generator) for key, each in self._parameters.items()}

    def tell(self, point: Point, value: float | None) -> None:
        """Chance does not care."""


class Bayes:
    """Points that nevergrad proposes from the results.

    Args:
        parameters: the swept keys.
        maximize: whether more is better.
    """

    def __init__(self, parameters: Mapping[str, Distribution], maximize: bool) -> None:
        self._parameters = parameters
        self._sign = -1 if maximize else 1
        space = ng.p.Dict(**{key: each.variable() for key, each in parameters.items()})
        space.random_state = np.random.RandomState(SEED)
        self._solver = ng.optimizers.registry[BAYES](space, budget=None, num_workers=1)
        self._asked: list[tuple[Point, Any]] = []  # points, and nevergrad's candidates for them, not yet told

    def ask(self) -> Point:
        candidate = self._solver.ask()
        point = {key: each.cast(candidate.value[key]) for key, each in self._parameters.items()}
        self._asked.append((point, candidate))
        return point

    def tell(self, point: Point, value: float | None) -> None:
        """The metric's value at a point that was asked for, None where it failed."""
        index = [asked for asked, _ in self._asked].index(point)
        _, candidate = self._asked.pop(index)
        self._solver.tell(candidate, FAILED if value is None else self._sign * value)


Search = Grid | Random | Bayes
