"""Successive halving: whose turn it is, who goes on, and that a turn is a search's own."""

from functools import partial
from typing import ClassVar

import numpy as np
import pytest

from anx.errors import ConfigError
from anx.learners.sharing import check_sharing
from anx.solvers.halving import Halving
from anx.solvers.pgpe import PGPE
from anx.solvers.state import State

D = 3


class Scripted(PGPE):
    """A search that writes down when it is told."""

    diary: ClassVar[list[int]] = []  # the seeds of those that were told, in turn

    def tell(self, fitness):
        self.diary.append(self.seed)
        super().tell(fitness)


def make(searches=4, turn=2, seed=0, **options):
    Scripted.diary = []
    search = partial(Scripted, popsize=8, **options)
    return Halving(D, search=search, popsize=8, searches=searches, turn=turn, seed=seed)


def told(solver, generations, good_at):
    """The numbers of the searches that are told, each generation's; `good_at` is how good each search is."""
    numbers = []
    for _ in range(generations):
        solver.ask()
        number = solver.state["left"][solver.state["place"]]
        solver.tell(good_at[number] + np.linspace(-1, 1, 8))
        assert solver.statistics()["search"] == number
        numbers.append(int(number))
    return numbers


def test_the_better_half_goes_on_for_twice_as_long_and_the_last_one_without_end():
    numbers = told(make(), 30, good_at=[5.0, 1.0, 7.0, 3.0])
    assert numbers[:8] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert numbers[8:16] == [2, 2, 2, 2, 0, 0, 0, 0]
    assert numbers[16:] == [2] * 14


@pytest.mark.parametrize(("searches", "rounds"), [(1, [1]), (2, [2, 1]), (5, [5, 2, 1]), (7, [7, 3, 1])])
def test_of_an_odd_number_the_smaller_half_goes_on(searches, rounds):
    solver = make(searches=searches, turn=1)
    left = []
    for _ in range(20):
        left.append(len(solver.state["left"]))
        solver.tell(np.arange(8.0))
    assert sorted(set(left), reverse=True) == rounds
    assert left[-1] == 1


def test_each_search_is_the_one_that_it_would_be_alone():
    solver = make(searches=2, turn=3)
    told(solver, 6, good_at=[0.0, 0.0])
    first, second = dict.fromkeys(Scripted.diary)
    assert first != second
    for number, seed in enumerate((first, second)):
        alone = PGPE(D, popsize=8, seed=seed)
        for _ in range(3):
            alone.ask()
            alone.tell(np.linspace(-1, 1, 8))
        states = solver.state["searches"]
        np.testing.assert_array_equal(states[str(number)]["mean"], alone.mean)


def test_the_mean_after_a_turns_last_generation_is_of_the_search_that_had_it():
    solver = make(searches=2, turn=1)
    solver.tell(np.arange(8.0))
    np.testing.assert_array_equal(solver.mean, solver.state["searches"]["0"]["mean"])
    assert np.abs(solver.mean).max() > 0  # the next one's is still 0


def test_a_search_is_judged_by_its_last_generations_not_its_first():
    solver = make(searches=2, turn=400)
    fitness = {0: np.linspace(9, 0, 400), 1: np.linspace(0, 5, 400)}  # on average the first one is better by 2
    for number in (0, 1):
        for value in fitness[number]:
            solver.tell(np.full(8, value))
    assert list(solver.state["left"]) == [1]


@pytest.mark.parametrize("generations", [3, 8, 9, 20])
def test_a_state_goes_on_in_the_middle_of_a_tournament(generations):
    good_at = [5.0, 1.0, 7.0, 3.0]
    straight, other = make(), make()
    told(straight, generations, good_at)
    state: State = straight.state
    rest = told(straight, 15, good_at)
    other.state = state
    assert told(other, 15, good_at) == rest
    np.testing.assert_array_equal(other.mean, straight.mean)


def test_seeds_share_no_search():
    diaries = set()
    for seed in range(3):
        told(make(seed=seed), 8, good_at=[0.0] * 4)
        assert len(set(Scripted.diary)) == 4
        diaries |= set(Scripted.diary)
    assert len(diaries) == 12


@pytest.mark.parametrize(
    ("says", "options"),
    [
        ("searches=0 must be at least 1", {"searches": 0}),
        ("turn=0 must be at least 1", {"turn": 0}),
        (r"search\.lr=-1 must be greater than 0", {"lr": -1}),
    ],
)
def test_what_is_no_tournament_is_refused_by_its_name(says, options):
    with pytest.raises(ConfigError, match=says):
        make(**options)


def test_a_search_of_another_size_is_refused():
    with pytest.raises(ConfigError, match=r"search\.popsize=4 must be popsize=8"):
        Halving(D, search=partial(PGPE, popsize=4), popsize=8)


@pytest.mark.parametrize(
    ("given", "says"),
    [({"seed": 3}, r"search\.seed=3 must be seed=0"), ({"dimension": 4}, r"search\.dimension=4 can't be chosen")],
)
def test_what_each_search_has_of_its_own_is_not_overruled_in_silence(given, says):
    with pytest.raises(ConfigError, match=says):
        Halving(D, search=partial(PGPE, popsize=8, **given), popsize=8)


def test_a_state_of_another_number_of_searches_is_refused():
    with pytest.raises(ConfigError, match=r"of 2 searches, optimizer\.searches=4"):
        make().state = make(searches=2).state


def test_ranks_within_groups_are_no_fitness_to_choose_a_search_by():
    with pytest.raises(ConfigError, match=r"learner\.episodes=groups ranks fitness.*optimizer=Halving"):
        check_sharing("groups", 4, make())
    check_sharing("groups", 4, PGPE(D, popsize=8))
    check_sharing("pairs", 4, make())
