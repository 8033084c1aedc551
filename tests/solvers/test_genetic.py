"""The genetic algorithm: who lives on, and how far mutants go."""

import numpy as np
import pytest

from anx.errors import ConfigError
from anx.solvers.genetic import Genetic

D = 1000


def rows(candidates):
    return {row.tobytes() for row in candidates}


def test_the_best_live_on_as_they_are_and_the_first_of_them_ships():
    solver = Genetic(D, popsize=12, parents=3)
    for generation in range(5):
        candidates = solver.ask()
        fitness = np.random.default_rng(generation).permutation(12).astype(float)
        solver.tell(fitness)
        np.testing.assert_array_equal(solver.mean, candidates[fitness.argmax()])
        assert rows(candidates[fitness >= 9]) <= rows(solver.ask())
        assert len(rows(candidates) & rows(solver.ask())) == 3


def test_the_start_is_one_of_the_first_candidates():
    assert (Genetic(D, popsize=4, parents=2).ask() == 0).all(1).sum() == 1


def test_it_begins_with_the_candidates_that_it_is_given_of_whom_the_best_live_on():
    first = np.random.default_rng(0).standard_normal((8, D))
    solver = Genetic(D, popsize=8, parents=2, sigma0=0.001)
    solver.begin(first)
    np.testing.assert_array_equal(solver.ask(), first)
    solver.tell(np.arange(8.0))
    np.testing.assert_array_equal(solver.mean, first[7])
    nearest = [np.abs(first - candidate).max(1).argmin() for candidate in solver.ask()]
    assert set(nearest) == {6, 7}, "all others are mutants of theirs"


def test_mutants_are_as_far_from_a_parent_as_sigmas_go_small_steps_as_often_as_large_ones():
    solver = Genetic(D, popsize=1001, parents=1, sigma0=0.1, sigma_min=0.001)
    sigma = np.linalg.norm(solver.ask()[:-1], axis=1) / np.sqrt(D)  # 1,000 numbers each: within 2 % or so
    assert 0.0009 < sigma.min() < 0.0011
    assert 0.09 < sigma.max() < 0.11
    assert 450 < (sigma < 0.01).sum() < 550  # 500 are expected, 16 is the standard deviation


def test_of_equals_mutants_live_on():
    solver = Genetic(D, popsize=8, parents=2)
    candidates = solver.ask()
    solver.tell(np.zeros(8))
    np.testing.assert_array_equal(solver.ask()[-2:], candidates[:2])


def test_luck_of_one_generation_is_none_in_the_next():
    solver = Genetic(D, popsize=8, parents=1)
    lucky = solver.ask()[3]
    solver.tell(np.eye(8)[3] * 100)
    np.testing.assert_array_equal(solver.mean, lucky)
    solver.tell(np.arange(8.0)[::-1])  # now it is the last, and what it had is forgotten
    assert not np.array_equal(solver.mean, lucky)


@pytest.mark.parametrize(
    ("says", "options"),
    [
        ("parents=0 must be at least 1 and less than popsize=8", {"parents": 0}),
        ("parents=8 must be at least 1 and less than popsize=8", {"parents": 8}),
        (r"sigma_min=0\.2 must be greater than 0 and at most sigma0=0\.1", {"sigma_min": 0.2}),
        (r"sigma_min=0\.0 must be greater than 0", {"sigma_min": 0.0}),
        ("popsize=1 must be at least 2", {"popsize": 1}),
    ],
)
def test_what_is_no_search_is_refused_by_its_name(says, options):
    with pytest.raises(ConfigError, match=says):
        Genetic(D, **{"popsize": 8, "parents": 2, **options})
