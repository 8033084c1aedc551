"""CMA-ES is nevergrad's and pycma's to the bit, never restarts, and goes on from its state."""

import io
from functools import partial

import cma
import nevergrad as ng
import numpy as np
import pytest
import torch
from cma.sigma_adaptation import CMAAdaptSigmaCSA, CMAAdaptSigmaTPA
from torch import nn

from anx.errors import ConfigError
from anx.internal import pycma
from anx.learners.optimizer import SolverOptimizer
from anx.solvers.cmaes import CMAES

DIMENSION = 20
RULES = {"csa": CMAAdaptSigmaCSA, "tpa": CMAAdaptSigmaTPA}
VARIANTS = [(rule, diagonal) for rule in RULES for diagonal in (False, True)]


def fitness(x):
    """Of candidates [P, D] around 0: highest, 0, at 1."""
    return -(10 ** np.linspace(0, 3, x.shape[1]) * (x - 1) ** 2).sum(1)


def run(solver, generations, fitness=fitness):
    """The populations and, after each, the mean and the step size."""
    seen = []
    for _ in range(generations):
        population = solver.ask()
        solver.tell(fitness(population))
        seen.append((population, solver.mean, solver.strategy.sigma))
    return seen


def assert_equal_to_the_bit(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y)


def run_nevergrads_own(generations, step_size, diagonal):
    array = ng.p.Array(shape=(DIMENSION,))
    array.random_state = np.random.RandomState(3)
    options = {"AdaptSigma": RULES[step_size], "tolfun": 0, "tolfunhist": 0, "conditioncov_alleviate": [1e8, 0]}
    factory = ng.optimizers.ParametrizedCMA(scale=0.3, popsize=12, diagonal=diagonal, inopts=options)
    solver = factory(array, budget=None, num_workers=1)
    for _ in range(generations):
        asked = [solver.ask() for _ in range(12)]
        population = np.stack([candidate.value for candidate in asked])
        for candidate, value in zip(asked, fitness(population), strict=True):
            solver.tell(candidate, -value)
        yield population, solver._es.mean, solver._es.sigma


def run_pycmas_own(generations, step_size, diagonal, dimension=DIMENSION):
    options = {"AdaptSigma": RULES[step_size], "popsize": 12, "CMA_diagonal": diagonal, "verbose": -9}
    randomness = {"randn": np.random.RandomState(3).randn, "seed": np.nan}
    strategy = cma.CMAEvolutionStrategy(np.zeros(dimension), 0.3, {**options, **randomness})
    for _ in range(generations):
        asked = strategy.ask()
        strategy.tell(asked, (-fitness(np.stack(asked))).tolist())
        yield np.stack(asked), strategy.mean, strategy.sigma


@pytest.mark.parametrize("theirs", [run_nevergrads_own, run_pycmas_own])
@pytest.mark.parametrize(("step_size", "diagonal"), VARIANTS)
def test_populations_means_and_step_sizes_are_theirs_to_the_bit(theirs, step_size, diagonal):
    ours = CMAES(DIMENSION, popsize=12, sigma0=0.3, diagonal=diagonal, step_size=step_size, seed=3)
    assert_equal_to_the_bit(run(ours, 60), theirs(60, step_size, diagonal))


@pytest.mark.parametrize("step_size", RULES)
def test_the_chosen_rule_runs_where_pycmas_default_is_another(step_size):
    """From 300 dimensions on pycma 4.5 takes two-point adaptation unless told otherwise, below never."""
    ours = CMAES(310, popsize=12, sigma0=0.3, step_size=step_size, seed=3)
    assert_equal_to_the_bit(run(ours, 10), run_pycmas_own(10, step_size, False, dimension=310))
    assert type(ours.strategy.adapt_sigma) is RULES[step_size]


def test_a_diagonal_strategys_condition_number_is_that_of_its_variances():
    solver = CMAES(DIMENSION, popsize=12, sigma0=0.3, diagonal=True)
    run(solver, 30)
    stds = solver.strategy.stds
    assert solver.statistics()["condition_number"] == pytest.approx((stds.max() / stds.min()) ** 2, rel=1e-9)
    assert solver.statistics()["condition_number"] > 1.1


def flat(x):
    return np.zeros(len(x))


# pycma's termination criteria: within how many generations each is met, playing what, after which changes.
CRITERIA = {
    "tolfun": (3, flat, {}),
    "tolfunhist": (15, flat, {}),
    "tolflatfitness": (5, flat, {}),
    "tolstagnation": (600, flat, {"threshold": 100}),
    "tolxstagnation": (40, flat, {"sigma": 1e-14}),
    "tolx": (3, fitness, {"sigma": 1e-14}),
    "noeffectcoord": (3, fitness, {"sigma": 1e-30, "mean": 1.0}),
    "noeffectaxis": (3, fitness, {"sigma": 1e-30, "mean": 1.0}),
    "tolfacupx": (3, fitness, {"sigma": 1e4}),
    "tolupsigma": (3, fitness, {"sigma": 1e21}),
    "tolconditioncov": (3, fitness, {"threshold": 1.001}),
}


@pytest.mark.parametrize("criterion", CRITERIA)
def test_no_criterion_of_pycmas_restarts_or_ends_the_search(criterion):
    most, played, changes = CRITERIA[criterion]
    solver = CMAES(DIMENSION, popsize=12, sigma0=0.3)
    run(solver, 2, played)
    strategy = solver.strategy
    strategy.sigma = changes.get("sigma", strategy.sigma)
    strategy.mean[:] += changes.get("mean", 0.0)
    strategy.opts[criterion] = changes.get("threshold", strategy.opts.get(criterion))
    while criterion not in strategy.stop():
        assert strategy.countiter < most + 2, "the criterion is never met: the test is void"
        run(solver, 1, played)
    met, before = strategy.countiter, solver.mean
    run(solver, 2, played)
    assert solver.strategy is strategy
    assert strategy.countiter == met + 2
    assert np.abs(solver.mean - before).max() <= 20 * strategy.sigma * np.sqrt(strategy.sm.variances.max()) + 1e-12


def test_an_error_within_a_generation_is_not_swallowed(monkeypatch):
    solver = CMAES(DIMENSION, popsize=12, sigma0=0.3)
    run(solver, 1)

    def refuse(*args, **kwargs):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(solver.strategy, "tell", refuse)
    with pytest.raises(RuntimeError, match="out of memory"):
        run(solver, 1)


def through_a_file(state):
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def make(step_size="csa", diagonal=False, dimension=DIMENSION):
    start = nn.Parameter(torch.full((dimension,), 0.5, dtype=torch.float64))
    make_solver = partial(CMAES, popsize=12, sigma0=0.3, diagonal=diagonal, step_size=step_size)
    return SolverOptimizer([start], make_solver)


def step(optimizer, generations, condition=1e3):
    scales = torch.logspace(0, np.log10(condition), len(optimizer.mean()), dtype=torch.float64)
    for _ in range(generations):
        optimizer.step(lambda: -(scales * (optimizer.ask() - 1) ** 2).sum(1))


@pytest.mark.parametrize("told", [0, 1, 30])
@pytest.mark.parametrize(("step_size", "diagonal"), VARIANTS)
def test_a_resumed_search_goes_on_bit_for_bit(step_size, diagonal, told):
    """400 parameters: the decomposition lags behind, and products depend on the matrices' layout."""
    straight, first, second = (make(step_size, diagonal, dimension=400) for _ in range(3))
    step(straight, told + 20)
    step(first, told)
    second.load_state_dict(through_a_file(first.state_dict()))
    step(second, 20)
    np.testing.assert_array_equal(second.mean(), straight.mean())
    assert second.statistics() == straight.statistics()


def test_a_search_whose_coordinates_were_rescaled_goes_on_bit_for_bit():
    """pycma moves scales that are 1e8 apart out of the covariance."""
    straight, first, second = (make(dimension=4) for _ in range(3))
    step(straight, 400, condition=1e12)
    step(first, 300, condition=1e12)
    assert np.ptp(first.solver.strategy.sigma_vec.scaling) > 0, "rescaled"
    second.load_state_dict(through_a_file(first.state_dict()))
    step(second, 100, condition=1e12)
    np.testing.assert_array_equal(second.mean(), straight.mean())


def test_a_state_is_a_copy():
    optimizer = make()
    step(optimizer, 3)
    state = optimizer.state_dict()
    before = through_a_file(state)
    step(optimizer, 3)
    assert torch.equal(state["solver"]["state"]["sampler"]["C"], before["solver"]["state"]["sampler"]["C"])
    other = make()
    other.load_state_dict(state)
    step(other, 3)
    assert torch.equal(state["solver"]["state"]["sampler"]["C"], before["solver"]["state"]["sampler"]["C"])
    np.testing.assert_array_equal(other.mean(), optimizer.mean())


def test_a_state_of_a_pycma_that_keeps_other_values_is_refused_by_name():
    optimizer = make()
    step(optimizer, 3)
    state = optimizer.state_dict()
    state["solver"]["state"]["versions"]["cma"] = "9.1"
    state["solver"]["state"]["sampler"]["L"] = state["solver"]["state"]["sampler"].pop("B")
    with pytest.raises(ConfigError, match=r"can't go on from what pycma 9\.1 left \(it differs in B, L\)"):
        make().load_state_dict(state)


def test_a_pycma_that_has_other_names_is_refused(monkeypatch):
    monkeypatch.setitem(pycma.NEEDED, "strategy", ("average",))
    with pytest.raises(RuntimeError, match=r"cma .* is not one that anx knows: it has no average"):
        make()
