"""What every solver that is offered keeps: the contract of `anx.solvers.base`, on a sphere."""

import io
from functools import partial

import numpy as np
import pytest
import torch
from conftest import compose
from hydra.utils import instantiate
from test_offered_solvers import FILES, OFFERED
from torch import nn

from anx.errors import ConfigError
from anx.learners.optimizer import SolverOptimizer
from anx.learners.sharing import check_sharing
from anx.solvers.base import Solver

D = 20
EVERY_SOLVER = pytest.mark.parametrize("overrides", OFFERED, ids=" ".join)


def make(overrides, seed=0, popsize=16) -> Solver:
    return instantiate(compose(*overrides, f"optimizer.popsize={popsize}", f"seed={seed}").optimizer)(D)


def sphere(x):
    """Fitness [P] of candidates [P, D]: highest, 0, at 1."""
    return -((x - 1) ** 2).sum(-1)


def run(solver, generations):
    for _ in range(generations):
        solver.tell(sphere(solver.ask()))
    return solver


def through_a_file(state):
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@EVERY_SOLVER
def test_shapes_and_numbers_are_those_of_the_contract(overrides):
    solver = run(make(overrides), 1)
    assert solver.popsize == 16
    assert solver.ask().shape == (16, D)
    assert solver.ask().dtype == solver.mean.dtype == np.float64
    assert solver.mean.shape == (D,)
    assert solver.statistics()["sigma"] > 0
    assert all(isinstance(value, float) for value in solver.statistics().values())


@EVERY_SOLVER
def test_the_search_starts_around_0_and_finds_the_spheres_centre(overrides):
    solver = make(overrides)
    np.testing.assert_array_equal(solver.mean, np.zeros(D))
    assert np.abs(solver.ask().mean()) < 0.05
    assert sphere(run(make(overrides), 250).mean) > -1e-2 * D


@EVERY_SOLVER
@pytest.mark.parametrize("told", [0, 1, 7])
def test_a_solver_with_anothers_state_goes_on_as_it_would_have(overrides, told):
    straight, first, second = make(overrides), make(overrides), make(overrides)
    run(straight, told + 10)
    run(first, told)
    first.ask()  # what was asked, and never told, is asked again
    second.state = first.state
    run(second, 10)
    np.testing.assert_array_equal(second.mean, straight.mean)
    np.testing.assert_array_equal(second.ask(), straight.ask())
    assert second.statistics() == straight.statistics()


@EVERY_SOLVER
def test_a_checkpoint_goes_on_to_the_bit(overrides):
    def search():
        config = compose(*overrides, "optimizer.popsize=16").optimizer
        return SolverOptimizer([nn.Parameter(torch.full((D,), 0.5))], instantiate(config))

    def generations(optimizer, count):
        for _ in range(count):
            optimizer.step(partial(lambda o: sphere(o.ask()), optimizer))

    straight, first, second = search(), search(), search()
    generations(straight, 9)
    generations(first, 4)
    second.load_state_dict(through_a_file(first.state_dict()))
    generations(second, 5)
    np.testing.assert_array_equal(second.mean(), straight.mean())
    assert torch.equal(second.ask(), straight.ask())


@EVERY_SOLVER
def test_a_state_is_a_copy_in_both_directions(overrides):
    first, second, third = run(make(overrides), 3), make(overrides), make(overrides)
    state = first.state
    run(first, 3)
    second.state = state
    run(second, 3)
    third.state = state
    run(third, 3)
    np.testing.assert_array_equal(first.mean, second.mean)
    np.testing.assert_array_equal(first.mean, third.mean)


@EVERY_SOLVER
def test_what_is_done_to_the_mean_that_it_gave_does_not_reach_the_search(overrides):
    solver = run(make(overrides), 2)
    solver.mean[:] = 1e9
    assert np.abs(solver.mean).max() < 1e3


@EVERY_SOLVER
def test_seeds_are_different_searches_and_the_global_one_is_none_of_them(overrides):
    np.random.seed(1)
    first = make(overrides).ask()
    np.random.seed(2)
    np.testing.assert_array_equal(first, make(overrides).ask())
    assert not np.array_equal(first, make(overrides, seed=1).ask())


@EVERY_SOLVER
def test_a_state_of_another_solver_is_refused(overrides):
    with pytest.raises(ConfigError):
        make(overrides).state = {"versions": {}, "generation": "seven", "controller": {}}


@pytest.mark.parametrize("optimizer", FILES)
def test_the_smallest_sizes_of_every_world_are_ones_with_which_a_search_begins(optimizer):
    for experiment in ("cartpole", "ant", "pong"):  # of each sizes of its own
        config = compose(f"+experiment={experiment}", "+budget=smoke", f"optimizer={optimizer}")
        solver = instantiate(config.optimizer)(3)
        check_sharing(config.learner.episodes, config.learner.group_size, solver)
