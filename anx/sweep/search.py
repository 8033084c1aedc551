"""Which points a sweep runs: all of a grid, random ones, or those that a search proposes from the results so far.

A search keeps nothing to itself. What it proposes follows from the points before and what came of them, so that a sweep
goes on where it was once these are known.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import optuna
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from anx.seeds import derive_seed
from anx.sweep.distribution import Distribution, Point

SEED = 0  # of every search
PATIENCE = 100  # proposals in a row that bring nothing new before a search has seen all
STARTUP = 5  # random points before TPE learns; Optuna's 10 would be half of a sweep of twenty runs


class Result(NamedTuple):
    """A point that was run."""

    point: Point
    value: float | None  # of the metric; None where the run failed


class Search(Protocol):
    """Which points a sweep runs. The same results lead to the same points."""

    def planned(self, recorded: Sequence[Point]) -> Sequence[Point]:
        """What is run whatever comes of it.

        Args:
            recorded: what this search has proposed before the sweep was cut off.
        """

    def propose(self, results: Sequence[Result], running: Sequence[Point]) -> Point | None:
        """One more point, none of those before; None where there seems to be no other.

        Args:
            results: of the points before, in their order.
            running: the points after those, of which nothing is known yet.
        """


class Grid:
    """Every combination of values, the last key varying fastest; `size` of them."""

    def __init__(self, parameters: Mapping[str, Distribution]) -> None:
        self._parameters = parameters
        self.size = math.prod(len(each.values) for each in parameters.values())

    def planned(self, recorded: Sequence[Point]) -> Sequence[Point]:
        combinations = itertools.product(*(each.values for each in self._parameters.values()))
        return [dict(zip(self._parameters, each, strict=True)) for each in combinations]

    def propose(self, results: Sequence[Result], running: Sequence[Point]) -> Point | None:
        return None


class Random:
    """Points drawn by chance, whatever came of those before."""

    def __init__(self, parameters: Mapping[str, Distribution]) -> None:
        self._parameters = parameters

    def planned(self, recorded: Sequence[Point]) -> Sequence[Point]:
        return recorded

    def propose(self, results: Sequence[Result], running: Sequence[Point]) -> Point | None:
        before = [*(each.point for each in results), *running]
        study = make_study(RandomSampler(seed=seed_of(len(before))))
        return ask_for_new(study, self._parameters, before)


class Bayes:
    """Points that Optuna's TPE proposes from the results (Bergstra et al. 2011).

    Args:
        parameters: the swept keys.
        maximize: whether more is better.
    """

    def __init__(self, parameters: Mapping[str, Distribution], maximize: bool) -> None:
        self._parameters = parameters
        self._maximize = maximize

    def planned(self, recorded: Sequence[Point]) -> Sequence[Point]:
        return recorded

    def propose(self, results: Sequence[Result], running: Sequence[Point]) -> Point | None:
        before = [*(each.point for each in results), *running]
        # The keys go together; a point that is running is taken for a bad one, so that those at once differ.
        sampler = TPESampler(seed=seed_of(len(before)), n_startup_trials=STARTUP, multivariate=True, constant_liar=True)
        study = make_study(sampler, self._maximize)
        study.add_trials([self._trial(*each) for each in results])
        study.add_trials([self._trial(each, None, TrialState.RUNNING) for each in running])
        return ask_for_new(study, self._parameters, before)

    def _trial(self, point: Point, value: float | None, state: TrialState | None = None) -> FrozenTrial:
        """A point as Optuna has it. One that failed is pruned to it, and so the worst; FAIL would have it forgotten."""
        if state is None:
            state = TrialState.PRUNED if value is None else TrialState.COMPLETE
        return create_trial(
            state=state,
            value=value,
            params={key: each.parameter_of(point[key]) for key, each in self._parameters.items()},
            distributions={key: each.space for key, each in self._parameters.items()},
        )


def make_study(sampler: BaseSampler, maximize: bool = True) -> optuna.Study:
    """A study that is in memory only and says nothing."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(sampler=sampler, direction="maximize" if maximize else "minimize")


def ask_for_new(study: optuna.Study, parameters: Mapping[str, Distribution], before: Sequence[Point]) -> Point | None:
    """The first point that a study proposes and that is none of those before; None where it proposes no other."""
    known = {tuple(map(str, point.values())) for point in before}  # 1 is not true
    for _ in range(PATIENCE):
        found = study.ask({key: each.space for key, each in parameters.items()}).params
        point = {key: each.value_of(found[key]) for key, each in parameters.items()}
        if tuple(map(str, point.values())) not in known:
            return point
    return None


def seed_of(number: int) -> int:
    """The seed of the proposal after `number` points."""
    return derive_seed(SEED, number + 1)
