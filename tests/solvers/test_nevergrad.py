"""TBPSA is nevergrad's to the bit, and goes on from its state."""

import io

import nevergrad as ng
import numpy as np
import pytest
import torch

from anx.errors import ConfigError
from anx.internal import tbpsa
from anx.solvers.nevergrad import Nevergrad
from anx.solvers.state import to_arrays, to_tensors

D = 20


def make():
    return Nevergrad(D, name="TBPSA", popsize=12, sigma0=0.3)


def ellipsoid(x):
    """Fitness [P] of a population [P, D]: highest, 0, at 1."""
    return -(10 ** np.linspace(0, 3, D) * (x - 1) ** 2).sum(1)


def noise(x):
    """Fitness that leads nowhere, the same for the same population."""
    return np.random.default_rng(int(1e6 * abs(x[0, 0]))).random(len(x))


def run(solver, generations, fitness):
    for _ in range(generations):
        solver.tell(fitness(solver.ask()))


@pytest.mark.parametrize("told", [0, 3, 13])
def test_a_resumed_search_goes_on_bit_for_bit(told):
    """After 13 generations without progress it learns from more than a generation: some candidates still wait."""
    straight, first, second = make(), make(), make()
    run(straight, told + 20, noise)
    run(first, told, noise)
    state = first.state
    assert (len(state["children"]["losses"]) > 0) == (told == 13)
    file = io.BytesIO()
    torch.save(to_tensors(state), file)
    file.seek(0)
    second.state = to_arrays(torch.load(file, weights_only=True))
    run(second, 20, noise)
    np.testing.assert_array_equal(second.mean, straight.mean)
    assert second.statistics() == straight.statistics()


def test_tbpsa_is_nevergrads():
    array = ng.p.Array(shape=(D,)).set_mutation(sigma=0.3)
    array.random_state = np.random.RandomState(0)
    theirs = ng.optimizers.ParametrizedTBPSA(naive=False, initial_popsize=3)(array, budget=None, num_workers=12)
    ours = make()
    for _ in range(40):
        asked = [theirs.ask() for _ in range(12)]
        for candidate in asked:
            theirs.tell(candidate, -float(ellipsoid(candidate.value[None])[0]))
    run(ours, 40, ellipsoid)
    np.testing.assert_array_equal(ours.mean, theirs.recommend().value)


def test_a_state_of_a_nevergrad_that_keeps_other_values_is_refused():
    state = make().state
    del state["controller"]["mu"]
    state["versions"]["nevergrad"] = "9.1"
    with pytest.raises(ConfigError, match=r"can't go on from what nevergrad 9\.1 left"):
        make().state = state


def test_a_nevergrad_that_has_other_names_is_refused(monkeypatch):
    monkeypatch.setattr(tbpsa, "CONTROLLER", ("lambda", "mu"))
    with pytest.raises(RuntimeError, match=r"nevergrad .* is not one that anx knows: it has no lambda"):
        make()
