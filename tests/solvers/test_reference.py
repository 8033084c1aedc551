"""PGPE and OpenAI-ES beside EvoTorch, in every generation: benchmarks/solver_reference.py wrote down its steps."""

import json
from pathlib import Path

import numpy as np
import pytest

from anx.solvers import openai_es, pgpe

REFERENCE = np.load(Path(__file__).parents[1] / "data" / "evotorch.npz")
SOLVERS = {"pgpe": pgpe.PGPE, "openai_es": openai_es.OpenAIES}
CASES = [name.removesuffix(".options") for name in REFERENCE.files if name.endswith(".options")]


def quadratic(x):
    """Fitness [P] of candidates [P, D], as the reference has it."""
    return -(np.logspace(0, 2, x.shape[-1]) * (x - 1) ** 2).sum(-1)


def steps(case):
    """Of each generation: fitness [P], and mean [D] and sigma [D] after it."""
    return zip(*(REFERENCE[f"{case}.{name}"] for name in ("fitness", "mean", "sigma")), strict=True)


@pytest.fixture
def ours(monkeypatch):
    """Makes the solver of a case, which draws the reference's noise."""
    noise = REFERENCE["noise"]  # [G, P / 2, D]

    def draw_noise(seed, generation, pairs, dimension):
        assert (pairs, dimension) == noise[generation].shape
        return noise[generation]

    for module in (pgpe, openai_es):
        monkeypatch.setattr(module, "draw_noise", draw_noise)

    def make(case):
        options = json.loads(str(REFERENCE[f"{case}.options"]))
        _, pairs, dimension = noise.shape
        return SOLVERS[options.pop("solver")](dimension, popsize=2 * pairs, **options)

    return make


@pytest.mark.parametrize("case", CASES)
def test_every_generation_is_evotorchs(ours, case):
    solver = ours(case)
    for fitness, mean, sigma in steps(case):
        np.testing.assert_allclose(quadratic(solver.ask()), fitness, rtol=1e-9)  # the same candidates
        solver.tell(fitness)
        np.testing.assert_allclose(solver.mean, mean, rtol=0, atol=1e-9)
        np.testing.assert_allclose(solver.statistics()["sigma"], sigma.mean(), rtol=0, atol=1e-9)
        np.testing.assert_allclose(solver.state.get("sigma", sigma), sigma, rtol=0, atol=1e-9)


def test_the_reference_has_searched_and_met_its_limits():
    """A reference that stands still, or that nothing stops, would say little."""
    assert {"clipup", "clipup_limited", "adam", "openai_es"} == set(CASES)
    for case in CASES:
        _, means, _ = zip(*steps(case), strict=True)
        assert quadratic(means[-1]) > quadratic(means[0]) / 4
    _, means, sigmas = map(np.stack, zip(*steps("clipup_limited"), strict=True))
    changes = sigmas[1:] / sigmas[:-1]
    speeds = np.linalg.norm(np.diff(means, axis=0), axis=1)
    assert (np.isclose(changes, 1.05) | np.isclose(changes, 0.95)).any(0).all()
    assert 0 < np.isclose(speeds, 0.25).sum() < len(speeds)
