"""What holds for every solver: fitness, seeds, interruptions, checkpoints."""

from functools import partial

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_limits
from torch import nn

from anx.errors import ConfigError
from anx.experiment.resumption import check_same
from anx.learners.optimizer import SolverOptimizer
from anx.solvers.cmaes import CMAES
from anx.solvers.halving import Halving
from anx.solvers.nevergrad import Nevergrad
from anx.solvers.pgpe import PGPE

DIMENSION = 20


def start(value=0.5, dimension=DIMENSION):
    return [nn.Parameter(torch.full((dimension,), value, dtype=torch.float64))]


def search_by(solver, params=None, **options):
    return SolverOptimizer(params or start(), partial(solver, **options))


def ellipsoid(x):
    """Fitness [P] of a population [P, D]: highest, 0, at 1."""
    scales = 10 ** torch.linspace(0, 3, x.shape[1], dtype=x.dtype)
    return -(scales * (x - 1) ** 2).sum(1)


def run(optimizer, generations, fitness=ellipsoid):
    for _ in range(generations):
        optimizer.step(lambda: fitness(optimizer.ask()))


def test_fitness_is_maximised():
    params = start()
    run(search_by(CMAES, params, popsize=16, sigma0=0.3), 500)
    torch.testing.assert_close(params[0].detach(), torch.ones(DIMENSION).double(), rtol=0, atol=1e-3)


def test_seed_0_is_a_seed():
    populations = []
    for seed, global_seed in ((0, 1), (0, 2), (1, 1)):
        np.random.seed(global_seed)
        optimizer = search_by(CMAES, popsize=12, seed=seed)
        optimizer.step(lambda o=optimizer: populations.append(o.ask()) or ellipsoid(o.ask()))
    assert torch.equal(populations[0], populations[1])
    assert not torch.equal(populations[0], populations[2])


SEARCHES = {
    "csa": lambda: search_by(CMAES, popsize=12),
    "tpa": lambda: search_by(CMAES, popsize=12, step_size="tpa"),
    "diagonal tpa": lambda: search_by(CMAES, popsize=12, diagonal=True, step_size="tpa"),
    "tbpsa": lambda: search_by(Nevergrad, name="TBPSA", popsize=12),
}


@pytest.mark.parametrize("through_a_checkpoint", [False, True])
@pytest.mark.parametrize("search", SEARCHES)
def test_candidates_of_an_interrupted_generation_are_evaluated_again(search, through_a_checkpoint):
    straight, optimizer = SEARCHES[search](), SEARCHES[search]()
    run(straight, 15)
    run(optimizer, 5)
    seen = []

    def interrupted():
        seen.append(optimizer.ask())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        optimizer.step(interrupted)
    if through_a_checkpoint:
        optimizer, old = SEARCHES[search](), optimizer
        optimizer.load_state_dict(old.state_dict())
    optimizer.step(lambda: seen.append(optimizer.ask()) or ellipsoid(optimizer.ask()))
    assert torch.equal(seen[0], seen[1])
    run(optimizer, 9)
    np.testing.assert_array_equal(optimizer.mean(), straight.mean())


@pytest.mark.parametrize("broken", [float("nan"), float("inf"), float("-inf")])
def test_fitness_that_is_not_a_number_ranks_last_and_is_counted(broken):
    def fitness(x, worst):
        return torch.where(torch.arange(len(x)) % 3 == 0, worst, ellipsoid(x))

    params, theirs = start(), start()
    optimizer = search_by(CMAES, params, popsize=12)
    for _ in range(20):
        optimizer.step(lambda: fitness(optimizer.ask(), broken))
        assert optimizer.nan_count == 4
    run(search_by(CMAES, theirs, popsize=12), 20, fitness=lambda x: fitness(x, -1e9))
    assert torch.equal(params[0], theirs[0])


def test_a_generation_without_any_fitness_changes_nothing_for_good():
    params = start()
    optimizer = search_by(CMAES, params, popsize=12)
    run(optimizer, 1, fitness=lambda x: torch.full((len(x),), float("nan")))
    assert optimizer.nan_count == 12
    run(optimizer, 1)
    assert params[0].isfinite().all()
    assert optimizer.nan_count == 0


def test_the_step_size_stays_above_its_minimum():
    optimizer = search_by(CMAES, popsize=12, sigma0=0.3, sigma_min=0.25)
    generator = torch.Generator().manual_seed(0)
    for _ in range(100):
        run(optimizer, 1, fitness=lambda x: torch.rand(len(x), generator=generator))
        assert optimizer.statistics()["sigma"] >= 0.25
    free = search_by(CMAES, popsize=12, sigma0=0.3)
    run(free, 100)
    assert free.statistics()["sigma"] < 0.25


def test_fitness_of_the_wrong_length_is_refused():
    optimizer = search_by(CMAES, popsize=12)
    with pytest.raises(ValueError, match=r"fitness of shape \(3,\), not \(12,\)"):
        optimizer.step(lambda: torch.zeros(3))


def make_tbpsa(**options):
    return search_by(Nevergrad, name="TBPSA", **{"popsize": 12, "sigma0": 0.3, **options})


@pytest.mark.parametrize("make", [lambda: search_by(CMAES, popsize=12, sigma0=0.3), make_tbpsa])
def test_parameters_become_the_mean_and_not_the_luckiest_sample(make):
    optimizer, seen = make(), []
    for _ in range(5):
        optimizer.step(lambda: seen.append(optimizer.ask()) or ellipsoid(seen[-1]))
    (mean,) = optimizer.param_groups[0]["params"]
    np.testing.assert_array_equal(mean.detach().numpy(), optimizer.mean())
    assert not (torch.cat(seen) == mean).all(1).any()


CMA = {"popsize": 12, "sigma0": 0.3, "sigma_min": 0.1, "diagonal": False, "step_size": "csa", "seed": 1}
OTHER = {"popsize": 14, "sigma0": 0.2, "sigma_min": 0.0, "diagonal": True, "step_size": "tpa", "seed": 2}


@pytest.mark.parametrize("key", CMA)
def test_a_search_with_another_setting_is_refused_by_its_key(key):
    then = {"_target_": "anx.solvers.cmaes.CMAES", **CMA}
    message = rf"optimizer\.{key}={OTHER[key]}, but ckpt_path was trained with optimizer\.{key}={CMA[key]};"
    with pytest.raises(ConfigError, match=message):
        check_same({"optimizer": then}, {"optimizer": {**then, key: OTHER[key]}})


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: search_by(CMAES, start(dimension=21), popsize=12), "CMAES over 21"),
        (make_tbpsa, "Nevergrad over 20"),
    ],
)
def test_a_search_of_another_kind_is_refused(make, kind):
    state = search_by(CMAES, popsize=12).state_dict()
    with pytest.raises(ConfigError, match=rf"of a search by CMAES over 20 parameters, this run's is by {kind}"):
        make().load_state_dict(state)


@pytest.mark.parametrize(
    ("make", "kind"),
    [(lambda: search_by(CMAES, popsize=12), "CMAES"), (lambda: make_tbpsa(), "NevergradOptimizer")],
)
def test_a_search_that_an_older_version_began_goes_on(make, kind):
    """It kept the solver's arguments, too, and called TBPSA by another name."""
    straight, first, second = make(), make(), make()
    run(straight, 6)
    run(first, 3)
    older = {**first.state_dict(), "kind": f"{kind} over 20 parameters", "settings": {"popsize": 12, "seed": 0}}
    second.load_state_dict(older)
    run(second, 3)
    np.testing.assert_array_equal(second.mean(), straight.mean())


def test_a_step_of_the_mean_is_of_one_search_and_a_jump_to_another_is_none():
    optimizer = search_by(Halving, search=partial(PGPE, popsize=8), popsize=8, searches=2, turn=2)
    means, moved = [optimizer.mean()], []
    for _ in range(4):
        run(optimizer, 1)
        means.append(optimizer.mean())
        moved.append(optimizer.moved)
    steps = np.diff(means, axis=0)
    np.testing.assert_allclose(moved, [steps[0], steps[1], np.zeros(DIMENSION), steps[3]], rtol=0, atol=1e-15)
    assert (np.abs(steps).max(1) > 0).all()


def test_a_search_that_is_broken_as_a_whole_wins_against_none_however_low_the_returns():
    optimizer = search_by(Halving, search=partial(PGPE, popsize=8), popsize=8, searches=2, turn=2)
    for generation in range(4):  # two of the first search, two of the second
        broken = generation < 2
        run(optimizer, 1, fitness=lambda x, broken=broken: torch.full((len(x),), float("nan") if broken else -20.5))
    assert optimizer.solver.statistics()["searches"] == 1
    run(optimizer, 1)
    assert optimizer.solver.mean_of == 1


def test_a_population_is_told_once():
    optimizer = search_by(CMAES, popsize=12)
    with pytest.raises(RuntimeError, match="nobody asked"):
        optimizer.step(lambda: torch.zeros(12))
    first = optimizer.ask()
    assert torch.equal(first, optimizer.ask())
    run(optimizer, 1)
    assert not torch.equal(first, optimizer.ask())


def test_a_checkpoint_that_holds_a_pickle_is_refused():
    old = {"solver": torch.zeros(10, dtype=torch.uint8), "name": "CMAES", "popsize": 12, "dimension": DIMENSION}
    with pytest.raises(ConfigError, match=r"ckpt_path is of an older version.* give it as weights="):
        search_by(CMAES, popsize=12).check_resumable(old)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Nevergrad(3, name="PSO"), r"^name=PSO is not offered: .*only TBPSA"),
        (lambda: CMAES(3, popsize=1), r"^popsize=1 must be at least 2"),
        (lambda: Nevergrad(3, name="TBPSA", popsize=1), r"^popsize=1 must be at least 2"),
        (lambda: CMAES(3, popsize=2, step_size="tpa"), r"^popsize=2 must be at least 3"),
        (lambda: CMAES(3, sigma0=0.0), r"^sigma0=0\.0 must be greater than 0"),
        (lambda: CMAES(3, sigma_min=-1.0), r"^sigma_min=-1\.0 must be at least 0"),
        (lambda: CMAES(3, step_size="msr"), r"^step_size=msr is not one of csa, tpa"),
    ],
)
def test_impossible_options_are_refused_by_name(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


@pytest.mark.parametrize("make", [lambda p: search_by(CMAES, popsize=p), lambda p: make_tbpsa(popsize=p)])
def test_the_smallest_populations_work(make):
    for popsize in (2, 3, 5):
        run(make(popsize), 10)


def test_a_search_does_not_depend_on_the_cores_that_linear_algebra_may_take():
    def searched(cores):
        with threadpool_limits(cores, user_api="blas"):
            parameter = torch.nn.Parameter(torch.zeros(600, dtype=torch.float64))
            optimizer = SolverOptimizer([parameter], partial(CMAES, popsize=64, sigma0=0.1, seed=0))
            for _ in range(5):
                population = optimizer.ask()
                optimizer.step(lambda: -population.square().sum(1) - population[:, :2].prod(1))  # noqa: B023 (at once)
            return parameter.detach().clone()

    assert torch.equal(searched(1), searched(2))
