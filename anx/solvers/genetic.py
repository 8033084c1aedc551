"""A genetic algorithm: the best live on as they are, and what is new are mutants of them."""

import numpy as np

from anx.errors import ConfigError
from anx.solvers.base import Array, Solver, check_sizes, randomness
from anx.solvers.state import State, take


class Genetic(Solver):
    """Truncation selection and Gaussian mutation (Such et al. 2017, algorithm 1), with steps of all sizes.

    A generation is `parents`, the best of the last one, and mutants of theirs: a parent plus N(0, sigma^2 I), whose
    sigma is drawn for each mutant between `sigma_min` and `sigma0`, every power of ten as often as any other (the same
    thought as the heavy-tailed mutation rates of Doerr et al. 2017). Inherited sigmas would shrink wherever many are
    equal: small steps keep what there is. Parents are told anew in every generation, so that nobody who was lucky once
    lives on for it; of equals mutants do.

    The first generation are mutants of 0, or what it is told to `begin` with.

    There is no mean that follows a gradient: it climbs by strokes of luck, and keeps whoever had one as he is, as in
    games without chance that are played by heart.

    Args:
        dimension: D.
        popsize: P, candidates a generation, parents among them.
        parents: of the next generation. Without: a ninth of the candidates.
        sigma0: the largest sigma.
        sigma_min: the smallest.
        seed: of its randomness.
    """

    def __init__(
        self,
        dimension: int,
        *,
        popsize: int = 256,
        parents: int | None = None,
        sigma0: float = 0.1,
        sigma_min: float = 0.001,
        seed: int = 0,
    ) -> None:
        check_sizes(popsize, sigma0)
        if parents is None:
            parents = max(1, popsize // 9)
        if not 1 <= parents < popsize:
            raise ConfigError(f"parents={parents} must be at least 1 and less than popsize={popsize}")
        if not 0 < sigma_min <= sigma0:
            raise ConfigError(f"sigma_min={sigma_min} must be greater than 0 and at most sigma0={sigma0}")
        self.popsize = popsize
        self.parents = parents
        self.sigma0 = sigma0
        self.sigma_min = sigma_min
        self.seed = seed
        self._generation = 0
        self._best = np.zeros((1, dimension))  # the best first
        self._sigma = np.array([float(sigma0)])  # with which each was made
        self._spared = np.zeros((0, dimension))

    def begin(self, candidates: Array) -> None:
        """Have these [P, D] as the best so far: they leave no room for mutants."""
        self._best, self._sigma = candidates, np.full(len(candidates), float(self.sigma0))

    def spare(self, directions: Array) -> None:
        self._spared = directions

    def _draw(self) -> tuple[Array, Array]:
        """This generation's candidates [P, D], mutants first, and their sigmas [P]."""
        random = randomness(self.seed, self._generation)
        number = self.popsize - len(self._best)
        of = random.integers(len(self._best), size=number)
        sigma = self.sigma_min * (self.sigma0 / self.sigma_min) ** random.random(number)
        noise = random.standard_normal((number, self._best.shape[1]))
        noise -= noise @ self._spared.T @ self._spared
        mutants = self._best[of] + sigma[:, None] * noise
        return np.concatenate([mutants, self._best]), np.concatenate([sigma, self._sigma])

    def ask(self) -> Array:
        return self._draw()[0]

    def tell(self, fitness: Array) -> None:
        candidates, sigma = self._draw()
        best = np.argsort(-fitness, kind="stable")[: self.parents]
        self._best, self._sigma = candidates[best], sigma[best]
        self._generation += 1

    @property
    def mean(self) -> Array:
        """The last generation's best candidate [D]."""
        return self._best[0].copy()

    def statistics(self) -> dict[str, float]:
        """`sigma`, with which the parents were made, their geometric mean."""
        return {"sigma": float(np.exp(np.log(self._sigma).mean()))}

    @property
    def state(self) -> State:
        return {"generation": self._generation, "best": self._best.copy(), "sigma": self._sigma.copy()}

    @state.setter
    def state(self, state: State) -> None:
        self._generation = take(state, "generation", int)
        self._best = take(state, "best", np.ndarray).copy()
        self._sigma = take(state, "sigma", np.ndarray).copy()
