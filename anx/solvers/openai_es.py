"""OpenAI's evolution strategy: the mean climbs by Adam, the standard deviation is given."""

import numpy as np

from anx.errors import ConfigError
from anx.solvers.ascent import Adam
from anx.solvers.base import Array, Solver
from anx.solvers.pairs import Shaping, check_decays, check_pairs, check_shaping, draw_noise, ends, mirror, shape
from anx.solvers.state import State, take


class OpenAIES(Solver):
    """Evolution strategies (Salimans et al. 2017, algorithm 1) with antithetic pairs and Adam.

    Candidates are pairs, mean + sigma e and mean - sigma e, where e ~ N(0, I).

    Args:
        dimension: D.
        popsize: P, candidates a generation; even.
        sigma0: sigma, the first generation's.
        shaping: what fitness is worth, `ranks` or `normalised` returns (see `anx.solvers.pairs.shape`).
        lr: Adam's learning rate, the first generation's.
        sigma_decay: what sigma is multiplied by after each generation.
        lr_decay: what the learning rate is multiplied by after each generation.
        seed: of its randomness.
    """

    pairs = True

    def __init__(
        self,
        dimension: int,
        *,
        popsize: int = 256,
        sigma0: float = 0.05,
        shaping: Shaping = "ranks",
        lr: float = 0.03,
        sigma_decay: float = 1.0,
        lr_decay: float = 1.0,
        seed: int = 0,
    ) -> None:
        check_pairs(popsize, sigma0)
        check_shaping(shaping)
        if lr <= 0:
            raise ConfigError(f"lr={lr} must be greater than 0")
        check_decays(sigma_decay=sigma_decay, lr_decay=lr_decay)
        self.popsize = popsize
        self.sigma0 = sigma0
        self.shaping = shaping
        self.lr0 = lr
        self.sigma_decay = sigma_decay
        self.lr_decay = lr_decay
        self.seed = seed
        self._ascent = Adam(dimension)
        self._generation = 0
        self._mean = np.zeros(dimension)

    @property
    def sigma(self) -> float:
        """This generation's."""
        return self.sigma0 * self.sigma_decay**self._generation

    @property
    def lr(self) -> float:
        """This generation's."""
        return self.lr0 * self.lr_decay**self._generation

    def _draw_noise(self) -> Array:
        """e, [P / 2, D], of this generation."""
        return draw_noise(self.seed, self._generation, self.popsize // 2, len(self._mean))

    def ask(self) -> Array:
        return mirror(self._mean, self.sigma * self._draw_noise())

    def tell(self, fitness: Array) -> None:
        plus, minus = ends(shape(fitness, self.shaping))
        # Salimans et al. 2017, algorithm 1, line 5: 1 / (P sigma) times the sum over all candidates of F e, which is -e
        # for a pair's second
        gradient = (plus - minus) @ self._draw_noise() / (self.popsize * self.sigma)  # [D]
        self._mean = self._mean + self._ascent.step(gradient, self.lr)
        self._generation += 1

    @property
    def mean(self) -> Array:
        return self._mean.copy()

    def statistics(self) -> dict[str, float]:
        """`sigma` and the learning rate, `lr`, of the next generation."""
        return {"sigma": self.sigma, "lr": self.lr}

    @property
    def state(self) -> State:
        return {"generation": self._generation, "mean": self._mean.copy(), "ascent": self._ascent.state}

    @state.setter
    def state(self, state: State) -> None:
        self._generation = take(state, "generation", int)
        self._mean = take(state, "mean", np.ndarray).copy()
        self._ascent.state = take(state, "ascent", dict)
