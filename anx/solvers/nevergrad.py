"""nevergrad's TBPSA, the solver of its own that holds up under noise."""

import nevergrad as ng
import numpy as np

from anx.errors import ConfigError
from anx.internal import tbpsa
from anx.solvers.base import Array, Solver, check_sizes
from anx.solvers.state import State, random_state_from_data, random_state_to_data, take

# nevergrad's solvers that reliably beat random search where every generation plays other episodes. Its elitist ones
# keep for ever whoever was lucky once: OnePlusOne and PSO do not beat it on a noisy ellipsoid; DE, NoisyDE, TwoPointsDE
# and RealSpacePSO not with every seed on cart-pole's first generations.
OFFERED = ("TBPSA",)


class Nevergrad(Solver):
    """A solver of nevergrad's by its name. There is one, TBPSA.

    Test-based population-size adaptation (Hellwig & Beyer 2016) is an isotropic evolution strategy. The next mean is
    that of the better quarter of the candidates. Where five generations show no progress beyond the noise, it doubles
    the number of candidates that it learns from at once.

    Args:
        dimension: D.
        name: nevergrad's, `TBPSA`.
        popsize: P, candidates a generation; it learns from at least as many at once.
        sigma0: the first step size.
        seed: of its randomness.
    """

    compares_generations = True  # the first of five with the last

    def __init__(self, dimension: int, *, name: str, popsize: int = 256, sigma0: float = 0.1, seed: int = 0) -> None:
        if name not in OFFERED:
            raise ConfigError(
                f"name={name} is not offered: of nevergrad's solvers only {', '.join(OFFERED)} copes with fitness that "
                "changes from generation to generation"
            )
        check_sizes(popsize, sigma0)
        self.popsize = popsize
        self._dimension, self._sigma0 = dimension, sigma0
        self._random_state = np.random.RandomState(seed)
        self._build()

    def _build(self) -> None:
        self._solver = tbpsa.build(
            self._dimension, popsize=self.popsize, sigma0=self._sigma0, random_state=self._random_state
        )
        self._asked: list[ng.p.Parameter] = []
        self._randomness = random_state_to_data(self._random_state)

    def ask(self) -> Array:
        self._asked = [self._solver.ask() for _ in range(self.popsize)]
        return np.stack([candidate.value for candidate in self._asked])

    def tell(self, fitness: Array) -> None:
        for candidate, value in zip(self._asked, fitness, strict=True):
            self._solver.tell(candidate, -float(value))
        self._asked = []
        self._randomness = random_state_to_data(self._random_state)

    @property
    def mean(self) -> Array:
        return np.array(self._solver.recommend().value)

    def statistics(self) -> dict[str, float]:
        """`sigma`."""
        return {"sigma": tbpsa.get_sigma(self._solver)}

    @property
    def state(self) -> State:
        return {**tbpsa.get_state(self._solver), "random": self._randomness}

    @state.setter
    def state(self, state: State) -> None:
        self._build()
        tbpsa.set_state(self._solver, state)
        random_state_from_data(self._random_state, take(state, "random", dict))
        self._randomness = take(state, "random", dict)
