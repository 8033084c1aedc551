"""PGPE and OpenAI-ES: step by step what their papers say, over antithetic pairs and ranks."""

import by_the_papers
import numpy as np
import pytest

from anx.errors import ConfigError
from anx.solvers.ascent import Adam, ClipUp
from anx.solvers.openai_es import OpenAIES
from anx.solvers.pairs import centred_ranks, draw_noise, shape
from anx.solvers.pgpe import PGPE

D = 7


def rough(x):
    """Fitness [P] with ties and valleys: highest near 1."""
    return np.round(-((x - 1) ** 2 * np.arange(1, D + 1)).sum(1) + np.sin(20 * x).sum(1), 1)


PGPES = {
    "clipup": ({"ascent": "clipup"}, lambda: by_the_papers.ClipUp(D, 0.3 * D**0.5 / 30, 0.9, 0.3 * D**0.5 / 15)),
    "clipup, all set": (
        {"ascent": "clipup", "lr": 0.2, "momentum": 0.5, "max_speed": 0.1},
        lambda: by_the_papers.ClipUp(D, 0.2, 0.5, 0.1),
    ),
    "adam": ({}, lambda: by_the_papers.Adam(D, 0.45 * 0.3)),
    "adam, all set": (
        {"lr": 0.05, "momentum": 0.8},
        lambda: by_the_papers.Adam(D, 0.05, beta1=0.8),
    ),
}


@pytest.mark.parametrize(("options", "make_rule"), PGPES.values(), ids=PGPES)
@pytest.mark.parametrize(("sigma_lr", "sigma_change"), [(0.1, 0.2), (5.0, 0.05), (0.0, 0.2)])
def test_pgpe_is_the_papers(options, make_rule, sigma_lr, sigma_change):
    ours = PGPE(D, popsize=12, sigma0=0.3, sigma_lr=sigma_lr, sigma_change=sigma_change, seed=5, **options)
    theirs = by_the_papers.PGPE(D, 0.3, sigma_lr, sigma_change, make_rule())
    for _ in range(50):
        population = ours.ask()
        theirs.tell(population, rough(population))
        ours.tell(rough(population))
        np.testing.assert_allclose(ours.mean, theirs.mu, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(ours.state["sigma"], theirs.sigma, rtol=1e-9)


def test_pgpes_learning_rate_decays_from_generation_to_generation():
    decaying, one = PGPE(D, popsize=12, lr=0.1, lr_decay=0.5), PGPE(D, popsize=12, lr=0.1)
    fitness = rough(one.ask())
    for solver in (decaying, one):
        solver.tell(fitness)
    np.testing.assert_array_equal(decaying.mean, one.mean)
    before, halved = one.state, PGPE(D, popsize=12, lr=0.05)
    halved.state = before
    for solver in (decaying, halved):
        solver.tell(fitness)
    np.testing.assert_allclose(decaying.mean, halved.mean, rtol=1e-12)
    assert np.abs(halved.mean - before["mean"]).max() > 0.01


def test_pgpes_sigmas_decay_besides_what_they_learn():
    decaying, one = PGPE(D, popsize=12, sigma_decay=0.9), PGPE(D, popsize=12)
    for solver in (decaying, one):
        solver.tell(rough(solver.ask()))
    np.testing.assert_allclose(decaying.state["sigma"], 0.9 * one.state["sigma"], rtol=1e-12)
    np.testing.assert_array_equal(decaying.mean, one.mean)


def test_pgpes_sigma_is_used_coordinate_by_coordinate():
    solver = PGPE(D, popsize=4000)
    wide = {**solver.state, "sigma": np.linspace(0.1, 1, D)}
    solver.state = wide
    np.testing.assert_allclose(solver.ask().std(0), wide["sigma"], rtol=0.1)


@pytest.mark.parametrize(("sigma_decay", "lr_decay"), [(1.0, 1.0), (0.99, 0.95)])
def test_openai_es_is_the_papers(sigma_decay, lr_decay):
    ours = OpenAIES(D, popsize=12, sigma0=0.3, lr=0.05, sigma_decay=sigma_decay, lr_decay=lr_decay, seed=5)
    theirs = by_the_papers.OpenAIES(D, 0.3, by_the_papers.Adam(D, 0.05))
    for generation in range(50):
        theirs.sigma, theirs.rule.alpha = 0.3 * sigma_decay**generation, 0.05 * lr_decay**generation
        assert ours.statistics() == {"sigma": pytest.approx(theirs.sigma), "lr": pytest.approx(theirs.rule.alpha)}
        population = ours.ask()
        theirs.tell(population, rough(population))
        ours.tell(rough(population))
        np.testing.assert_allclose(ours.mean, theirs.theta, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("solver", [PGPE, OpenAIES])
def test_candidates_are_antithetic_pairs_side_by_side(solver):
    population = solver(D, popsize=12).ask()
    np.testing.assert_allclose(population[0::2], -population[1::2])
    assert len(np.unique(population, axis=0)) == 12


@pytest.mark.parametrize("solver", [PGPE, OpenAIES])
def test_only_the_order_of_fitness_counts(solver):
    straight, bent = solver(D, popsize=12), solver(D, popsize=12)
    for _ in range(20):
        fitness = rough(straight.ask())
        straight.tell(fitness)
        bent.tell(np.exp(fitness / 10) * 1e6 - 3)
    np.testing.assert_array_equal(straight.mean, bent.mean)
    assert straight.statistics() == bent.statistics()


@pytest.mark.parametrize("solver", [PGPE, OpenAIES])
def test_equal_fitness_moves_nothing(solver):
    flat = solver(D, popsize=12)
    for _ in range(3):
        flat.tell(np.full(12, 7.0))
    np.testing.assert_array_equal(flat.mean, np.zeros(D))
    assert flat.statistics()["sigma"] == pytest.approx(solver(D, popsize=12).statistics()["sigma"])


def test_ranks_are_centred_and_equals_share_theirs():
    np.testing.assert_allclose(centred_ranks(np.array([3.0, -1.0, 10.0])), [0, -0.5, 0.5])
    np.testing.assert_allclose(centred_ranks(np.array([5.0, 5.0, 0.0, 9.0, 5.0])), [0, 0, -0.5, 0.5, 0])
    random = np.random.default_rng(0).integers(0, 5, 101).astype(float)
    np.testing.assert_allclose(centred_ranks(random), by_the_papers.ranks_of(random))
    assert centred_ranks(random).sum() == pytest.approx(0, abs=1e-12)


def test_noise_is_standard_normal_and_another_for_each_generation_and_seed():
    noise = np.stack([draw_noise(seed, generation, 50, 20) for seed in (0, 1) for generation in range(20)])
    assert noise.mean() == pytest.approx(0, abs=0.02)
    assert noise.std() == pytest.approx(1, abs=0.02)
    assert len(np.unique(noise)) == noise.size
    np.testing.assert_array_equal(draw_noise(1, 3, 50, 20), noise[23])


def test_clipups_steps_have_a_length_of_their_own_up_to_the_most():
    gradient = np.array([3.0, -4.0])
    rule = ClipUp(2, momentum=0.9, max_speed=0.15)
    np.testing.assert_allclose(rule.step(1e6 * gradient, 0.1), [0.06, -0.08])
    np.testing.assert_allclose(rule.step(1e-6 * gradient, 0.1), [0.09, -0.12])  # 0.19 would be too fast
    np.testing.assert_allclose(rule.step(np.zeros(2), 0.1), [0.081, -0.108])  # it rolls out


def test_adams_first_step_is_the_learning_rate_in_each_coordinate():
    np.testing.assert_allclose(Adam(3).step(np.array([1e3, -1e-3, 0.0]), 0.1), [0.1, -0.1, 0], rtol=1e-4)


def test_returns_as_they_are_are_told_relative_to_their_mean_and_spread():
    utilities = shape(np.array([0.0, 0.0, 900.0, 300.0]), "normalised")
    np.testing.assert_allclose(utilities, (np.array([0, 0, 900, 300]) - 300) / np.std([0, 0, 900, 300]))
    assert shape(np.full(4, 7.0), "normalised").tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("solver", [PGPE, OpenAIES])
def test_only_ranks_forget_how_far_apart_returns_are(solver):
    close, far = np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.0, 1.0, 2.0, 90.0])
    for shaping in ("ranks", "normalised"):
        means = []
        for fitness in (close, far):
            search = solver(D, popsize=4, shaping=shaping)
            for order in (fitness, fitness[::-1]):  # Adam's first step tells signs alone
                search.tell(order)
            means.append(search.mean)
        assert np.allclose(*means) == (shaping == "ranks")
    with pytest.raises(ConfigError, match="shaping=raw is not one of ranks, normalised"):
        solver(D, shaping="raw")


@pytest.mark.parametrize(
    ("solver", "options", "message"),
    [
        *((solver, {"popsize": 0}, "popsize=0 must be at least 2") for solver in (PGPE, OpenAIES)),
        *((solver, {"popsize": 7}, "popsize=7 must be even") for solver in (PGPE, OpenAIES)),
        *((solver, {"sigma0": 0.0}, "sigma0=0.0 must be greater than 0") for solver in (PGPE, OpenAIES)),
        *((solver, {"lr": 0.0}, "lr=0.0 must be greater than 0") for solver in (PGPE, OpenAIES)),
        (PGPE, {"ascent": "sgd"}, "ascent=sgd is not one of adam, clipup"),
        (PGPE, {"momentum": 1.0}, "momentum=1.0 must be at least 0 and less than 1"),
        (PGPE, {"momentum": 1.0, "ascent": "clipup"}, "momentum=1.0 must be at least 0 and less than 1"),
        (PGPE, {"max_speed": -1.0, "ascent": "clipup"}, "max_speed=-1.0 must be greater than 0"),
        (PGPE, {"max_speed": 1.0}, "max_speed=1.0 is for ascent=clipup; adam has none"),
        (PGPE, {"sigma_lr": -0.1}, "sigma_lr=-0.1 must be at least 0"),
        (PGPE, {"sigma_change": 1.0}, "sigma_change=1.0 must be at least 0 and less than 1"),
        *(
            (solver, {"lr_decay": 0.0}, "lr_decay=0.0 must be greater than 0 and at most 1")
            for solver in (PGPE, OpenAIES)
        ),
        (PGPE, {"sigma_decay": 0.0}, "sigma_decay=0.0 must be greater than 0 and at most 1"),
        (OpenAIES, {"sigma_decay": 1.1}, "sigma_decay=1.1 must be greater than 0 and at most 1"),
    ],
)
def test_impossible_options_are_refused_by_name(solver, options, message):
    with pytest.raises(ConfigError) as error:
        solver(D, **options)
    assert str(error.value).startswith(message)
