"""The traps of ask and tell, each with a test that falls into it."""

import io

import cma
import numpy as np
import pytest
import torch
from torch import nn

from anx.evolution.optimizer import CMAES, NEVER_STOP, NevergradOptimizer

DIMENSION = 20


def start(value=0.5, dimension=DIMENSION):
    return [nn.Parameter(torch.full((dimension,), value, dtype=torch.float64))]


def ellipsoid(x):
    """Fitness [P] of a population [P, D]: highest, 0, at 1."""
    scales = 10 ** torch.linspace(0, 3, x.shape[1], dtype=x.dtype)
    return -(scales * (x - 1) ** 2).sum(1)


def run(optimizer, generations, fitness=ellipsoid):
    for _ in range(generations):
        optimizer.step(lambda: fitness(optimizer.population))


@pytest.mark.parametrize("diagonal", [False, True])
def test_cma_es_is_pycmas_to_the_bit(diagonal):
    params = start()
    optimizer = CMAES(params, popsize=12, sigma0=0.3, diagonal=diagonal, seed=0)
    run(optimizer, 60)

    random_state = np.random.RandomState(0)
    options = {**NEVER_STOP, "popsize": 12, "CMA_diagonal": diagonal, "randn": random_state.randn, "seed": np.nan}
    theirs = cma.CMAEvolutionStrategy(np.zeros(DIMENSION), 0.3, {**options, "verbose": -9})
    for _ in range(60):
        asked = theirs.ask()
        theirs.tell(asked, (-ellipsoid(torch.tensor(0.5 + np.stack(asked)))).tolist())
    np.testing.assert_array_equal(params[0].detach().numpy(), 0.5 + theirs.mean)
    assert optimizer.statistics()["sigma"] == theirs.sigma


def test_fitness_is_maximised():
    params = start()
    run(CMAES(params, popsize=16, sigma0=0.3), 500)
    torch.testing.assert_close(params[0].detach(), torch.ones(DIMENSION).double(), rtol=0, atol=1e-3)


def test_parameters_become_the_mean_and_not_the_luckiest_sample():
    params = start()
    optimizer = CMAES(params, popsize=12, sigma0=0.3)
    run(optimizer, 3)
    solver = optimizer._solver
    np.testing.assert_array_equal(params[0].detach().numpy(), 0.5 + solver._es.mean)
    assert not np.allclose(solver._es.mean, solver.recommend().value)


def test_tied_fitness_does_not_restart_the_search_silently():
    params = start()
    optimizer = CMAES(params, popsize=12, sigma0=0.3)
    run(optimizer, 5)
    strategy = optimizer._solver._es
    run(optimizer, 40, fitness=lambda x: torch.zeros(len(x)))
    assert optimizer._solver._es is strategy
    assert strategy.countiter == 45


def test_a_generation_that_the_solver_swallows_is_an_error(monkeypatch):
    optimizer = CMAES(start(), popsize=12)

    def refuse(*args, **kwargs):
        raise RuntimeError("out of memory")

    run(optimizer, 1)
    monkeypatch.setattr(optimizer._solver._es, "tell", refuse)
    with pytest.raises(RuntimeError, match="CMA-ES refused a generation"):
        run(optimizer, 1)


def test_candidates_are_told_in_the_order_in_which_they_were_asked(monkeypatch):
    optimizer = CMAES(start(), popsize=12)
    asked, told = [], []
    ask, tell = optimizer._solver.ask, optimizer._solver.tell

    def spying_ask():
        asked.append(ask())
        return asked[-1]

    def spying_tell(candidate, loss):
        told.append(candidate)
        tell(candidate, loss)

    monkeypatch.setattr(optimizer._solver, "ask", spying_ask)
    monkeypatch.setattr(optimizer._solver, "tell", spying_tell)
    run(optimizer, 3)
    assert [id(c) for c in told] == [id(c) for c in asked]
    assert len(told) == 36


def test_the_archive_of_told_points_stays_small():
    optimizer = CMAES(start(), popsize=12)
    run(optimizer, 100)
    assert len(optimizer._solver.archive) < 100


def test_seed_0_is_a_seed():
    populations = []
    for seed, global_seed in ((0, 1), (0, 2), (1, 1)):
        np.random.seed(global_seed)
        optimizer = CMAES(start(), popsize=12, seed=seed)
        optimizer.step(lambda o=optimizer: populations.append(o.population) or ellipsoid(o.population))
    assert torch.equal(populations[0], populations[1])
    assert not torch.equal(populations[0], populations[2])


@pytest.mark.parametrize("through_a_checkpoint", [False, True])
def test_candidates_of_an_interrupted_generation_are_evaluated_again(through_a_checkpoint):
    optimizer = CMAES(start(), popsize=12)
    run(optimizer, 2)
    seen = []

    def interrupted():
        seen.append(optimizer.population)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        optimizer.step(interrupted)
    if through_a_checkpoint:
        optimizer, old = CMAES(start(), popsize=12, seed=9), optimizer
        optimizer.load_state_dict(old.state_dict())
    optimizer.step(lambda: seen.append(optimizer.population) or ellipsoid(optimizer.population))
    assert torch.equal(seen[0], seen[1])


@pytest.mark.parametrize("broken", [float("nan"), float("inf"), float("-inf")])
def test_fitness_that_is_not_a_number_ranks_last_and_is_counted(broken):
    def fitness(x, worst):
        return torch.where(torch.arange(len(x)) % 3 == 0, worst, ellipsoid(x))

    params, theirs = start(), start()
    optimizer = CMAES(params, popsize=12)
    for _ in range(20):
        optimizer.step(lambda: fitness(optimizer.population, broken))
        assert optimizer.nan_count == 4
    run(CMAES(theirs, popsize=12), 20, fitness=lambda x: fitness(x, -1e9))
    assert torch.equal(params[0], theirs[0])


def test_a_generation_without_any_fitness_changes_nothing_for_good():
    params = start()
    optimizer = CMAES(params, popsize=12)
    run(optimizer, 1, fitness=lambda x: torch.full((len(x),), float("nan")))
    assert optimizer.nan_count == 12
    run(optimizer, 1)
    assert params[0].isfinite().all()
    assert optimizer.nan_count == 0


def test_the_step_size_stays_above_its_minimum():
    optimizer = CMAES(start(), popsize=12, sigma0=0.3, sigma_min=0.25)
    generator = torch.Generator().manual_seed(0)
    for _ in range(100):
        run(optimizer, 1, fitness=lambda x: torch.rand(len(x), generator=generator))
        assert optimizer.statistics()["sigma"] >= 0.25
    free = CMAES(start(), popsize=12, sigma0=0.3)
    run(free, 100)
    assert free.statistics()["sigma"] < 0.25


@pytest.mark.parametrize("name", ["CMAES", "diagonal", "TwoPointsDE"])
def test_a_resumed_search_goes_on_bit_for_bit(name):
    def make():
        if name == "TwoPointsDE":
            return NevergradOptimizer(start(), name=name, popsize=12)
        return CMAES(start(), popsize=12, diagonal=name == "diagonal")

    straight, first, second = make(), make(), make()
    run(straight, 10)
    run(first, 5)
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second.load_state_dict(torch.load(file, weights_only=True))
    run(second, 5)
    np.testing.assert_array_equal(second.mean(), straight.mean())


def test_a_checkpoint_of_another_search_is_refused():
    state = CMAES(start(), popsize=12).state_dict()
    with pytest.raises(ValueError, match="popsize 12, this run's has 14"):
        CMAES(start(), popsize=14).load_state_dict(state)
    with pytest.raises(ValueError, match="dimension 20, this run's has 21"):
        CMAES(start(dimension=21), popsize=12).load_state_dict(state)


@pytest.mark.parametrize("name", ["OnePlusOne", "TwoPointsDE", "PSO"])
def test_any_optimizer_of_nevergrad_works_by_its_name(name):
    params = start()
    before = float(ellipsoid(params[0].detach().unsqueeze(0)))
    run(NevergradOptimizer(params, name=name, popsize=20, sigma0=0.3), 30)
    assert float(ellipsoid(params[0].detach().unsqueeze(0))) > before


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: NevergradOptimizer(start(), name="CMAEZ"), r"optimizer\.name=CMAEZ is not an optimizer of nevergrad"),
        (lambda: CMAES(start(), popsize=1), r"optimizer\.popsize=1 must be at least 2"),
        (lambda: CMAES(start(), sigma0=0.0), r"optimizer\.sigma0=0\.0 must be greater than 0"),
        (lambda: CMAES(start(), sigma_min=-1.0), r"optimizer\.sigma_min=-1\.0 must be at least 0"),
    ],
)
def test_impossible_options_are_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_fitness_of_the_wrong_length_is_refused():
    optimizer = CMAES(start(), popsize=12)
    with pytest.raises(ValueError, match=r"fitness of shape \(3,\), not \(12,\)"):
        optimizer.step(lambda: torch.zeros(3))
