"""Every solver that is offered beats random search where fitness is noisy, or it is not offered.

What is offered: each file of configs/optimizer, each name that `optimizer=nevergrad optimizer.name=` takes, and each
rule that `optimizer=pgpe optimizer.ascent=` takes.
"""

from pathlib import Path

import pytest
import torch
from conftest import HAS_COMPILER, compose
from hydra.utils import instantiate
from torch import nn

from anx.experiment.build import build_rollout
from anx.experiment.config.own_configs import config_folder
from anx.learners.optimizer import SolverOptimizer
from anx.population import get_vector, num_parameters
from anx.solvers.nevergrad import OFFERED as OF_NEVERGRAD

FILES = [path.stem for path in (Path(config_folder()) / "optimizer").glob("*.yaml") if path.stem != "adam"]
OFFERED = [(f"optimizer={name}",) for name in FILES if name != "nevergrad"]
OFFERED += [("optimizer=nevergrad", f"optimizer.name={name}") for name in OF_NEVERGRAD]
CLIPUP = ("optimizer=pgpe", "optimizer.ascent=clipup", "optimizer.lr=null")
OFFERED.append(CLIPUP)
# 30 generations of 16 candidates are none of the searches that its maximum speed is for.
OFFERED_IN_SHORT = [(*each, "optimizer.max_speed=0.6") if each == CLIPUP else each for each in OFFERED]


def search(overrides, parameters, popsize, generations, fitness, seed=0):
    """`fitness(population, generation)` -> [P]."""
    config = compose(*overrides, f"optimizer.popsize={popsize}", f"seed={seed}")
    optimizer = SolverOptimizer(parameters, instantiate(config.optimizer))
    for generation in range(generations):
        optimizer.step(lambda g=generation: fitness(optimizer.ask(), g))


def search_randomly(start, popsize, generations, fitness, seed=0, sigma=0.1):
    """The candidate [D] with the highest fitness of all that were drawn around the start, as noise let it appear."""
    generator = torch.Generator().manual_seed(seed)
    best, highest = start, -float("inf")
    for generation in range(generations):
        population = start + sigma * torch.randn(popsize, len(start), generator=generator, dtype=start.dtype)
        values = fitness(population, generation)
        if values.max() > highest:
            best, highest = population[values.argmax()], float(values.max())
    return best


START = torch.full((50,), 0.5, dtype=torch.float64)


def ellipsoid(x):
    """[..., D] -> [...]: highest, 0, at 1; the axes' curvatures are between 1 and 1,000."""
    return -(10 ** torch.linspace(0, 3, x.shape[-1], dtype=x.dtype) * (x - 1) ** 2).sum(-1)


def noisy_ellipsoid(x, generation):
    """Noise as large as a tenth of what there is to gain, drawn anew in every generation."""
    noise = torch.randn(len(x), generator=torch.Generator().manual_seed(generation), dtype=x.dtype)
    return ellipsoid(x) + 0.1 * ellipsoid(START).abs() * noise


@pytest.fixture(scope="module")
def random_gain_on_the_ellipsoid():
    return float(ellipsoid(search_randomly(START, 32, 100, noisy_ellipsoid)) - ellipsoid(START))


@pytest.mark.parametrize("overrides", OFFERED, ids=" ".join)
def test_it_beats_random_search_on_a_noisy_ellipsoid(overrides, random_gain_on_the_ellipsoid):
    """Judged without the noise: random search gains a quarter of what there is."""
    mean = nn.Parameter(START.clone())
    search(overrides, [mean], 32, 100, noisy_ellipsoid)
    assert float(ellipsoid(mean.detach()) - ellipsoid(START)) > 2 * max(random_gain_on_the_ellipsoid, 0)


@pytest.fixture(scope="module")
def cartpole():
    """The default agent, fitness over 4 episodes of 100 steps that change with the generation, and a judge."""
    # One compiled step serves all searches and their judge: both play rows of as many lanes.
    agent, rollout = build_rollout(compose("env.max_steps=100", f"rollout.compile={HAS_COMPILER}"))

    def fitness(population, generation):
        return rollout(population.float(), 4, generation, training=True).returns.mean(1)

    def judge(vector):
        return float(rollout(vector.unsqueeze(0).float(), 300, 10**6).returns.mean())

    return agent, fitness, judge


@pytest.fixture(scope="module", params=[0, 1])
def seed_and_random_score(cartpole, request):
    agent, fitness, judge = cartpole
    best = search_randomly(torch.zeros(num_parameters(agent)), 16, 30, fitness, request.param)
    return request.param, judge(best)


@pytest.mark.exhaustive
@pytest.mark.parametrize("overrides", OFFERED_IN_SHORT, ids=" ".join)
def test_it_beats_random_search_on_the_first_minutes_of_cartpole(overrides, cartpole, seed_and_random_score):
    """480 candidates; on held-out episodes random search's best scores about 11, a solver's mean 14 to 21."""
    agent, fitness, judge = cartpole
    seed, random_score = seed_and_random_score
    with torch.no_grad():
        for parameter in agent.parameters():
            parameter.zero_()
    search(overrides, agent.parameters(), 16, 30, fitness, seed)
    assert judge(get_vector(agent)) > 1.1 * random_score
