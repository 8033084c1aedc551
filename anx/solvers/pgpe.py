"""Parameter-exploring policy gradients: the mean and every coordinate's standard deviation climb their gradients."""

from typing import Literal

import numpy as np

from anx.errors import ConfigError
from anx.solvers.ascent import Adam, Ascent, ClipUp
from anx.solvers.base import Array, Solver
from anx.solvers.pairs import Shaping, check_decays, check_pairs, check_shaping, draw_noise, ends, mirror, shape
from anx.solvers.state import State, take


class PGPE(Solver):
    """PGPE with symmetric sampling (Sehnke et al. 2010), and Adam or ClipUp (Toklu et al. 2020).

    Candidates are pairs, mean + e and mean - e, where e ~ N(0, diag(sigma^2)).

    Args:
        dimension: D.
        popsize: P, candidates a generation; even.
        sigma0: the first standard deviation of each coordinate.
        shaping: what fitness is worth, `ranks` or `normalised` returns (see `anx.solvers.pairs.shape`).
        ascent: how the mean climbs, `adam` or `clipup`.
        lr: of the mean. Without: 0.45 sigma0 with `adam` (EvoJAX's setting for the paper's cart-pole agent), half of
            the maximum speed with `clipup` (as EvoTorch has it).
        lr_decay: lr is multiplied by it in every generation.
        momentum: of the mean's steps; beta1 of `adam`.
        max_speed: the longest step of the mean, with `clipup`. Without: a fifteenth of the first search radius,
            sigma0 sqrt(D) (Toklu et al. 2020), which is for hundreds of candidates and generations: a few of either
            get further with a fifth.
        sigma_lr: the learning rate of sigma.
        sigma_change: the most by which a generation changes a coordinate's sigma, as a part of it.
        sigma_decay: every sigma is multiplied by it in every generation, besides.
        seed: of its randomness.
    """

    pairs = True

    def __init__(
        self,
        dimension: int,
        *,
        popsize: int = 256,
        sigma0: float = 0.1,
        shaping: Shaping = "ranks",
        ascent: Literal["adam", "clipup"] = "adam",
        lr: float | None = None,
        lr_decay: float = 1.0,
        momentum: float = 0.9,
        max_speed: float | None = None,
        sigma_lr: float = 0.1,
        sigma_change: float = 0.2,
        sigma_decay: float = 1.0,
        seed: int = 0,
    ) -> None:
        check_pairs(popsize, sigma0)
        check_shaping(shaping)
        if max_speed is not None and ascent == "adam":
            raise ConfigError(f"max_speed={max_speed} is for ascent=clipup; adam has none")
        if max_speed is None:
            max_speed = sigma0 * float(np.sqrt(dimension)) / 15
        self._ascent = make_ascent(ascent, dimension, momentum, max_speed)
        if lr is None:
            lr = max_speed / 2 if ascent == "clipup" else 0.45 * sigma0
        if lr <= 0:
            raise ConfigError(f"lr={lr} must be greater than 0")
        check_decays(lr_decay=lr_decay, sigma_decay=sigma_decay)
        if sigma_lr < 0:
            raise ConfigError(f"sigma_lr={sigma_lr} must be at least 0")
        if not 0 <= sigma_change < 1:
            raise ConfigError(f"sigma_change={sigma_change} must be at least 0 and less than 1")
        self.popsize = popsize
        self.shaping = shaping
        self.lr = lr
        self.lr_decay = lr_decay
        self.sigma_lr = sigma_lr
        self.sigma_change = sigma_change
        self.sigma_decay = sigma_decay
        self.seed = seed
        self._generation = 0
        self._mean = np.zeros(dimension)
        self._sigma = np.full(dimension, float(sigma0))

    def _draw_steps(self) -> Array:
        """e, [P / 2, D], of this generation."""
        return self._sigma * draw_noise(self.seed, self._generation, self.popsize // 2, len(self._mean))

    def ask(self) -> Array:
        return mirror(self._mean, self._draw_steps())

    def tell(self, fitness: Array) -> None:
        steps, sigma = self._draw_steps(), self._sigma
        plus, minus = ends(shape(fitness, self.shaping))  # r+ and r-; their mean, the baseline b, is 0
        # Sehnke et al. 2010, symmetric sampling, here as means over the pairs: of e (r+ - r-) / 2, and of
        # ((r+ + r-) / 2 - b) (e^2 - sigma^2) / sigma
        of_mean = (plus - minus) / 2 @ steps / len(steps)  # [D]
        of_sigma = (plus + minus) / 2 @ ((steps**2 - sigma**2) / sigma) / len(steps)  # [D]
        self._mean = self._mean + self._ascent.step(of_mean, self.lr * self.lr_decay**self._generation)
        most = self.sigma_change * sigma
        self._sigma = self.sigma_decay * (sigma + np.clip(self.sigma_lr * of_sigma, -most, most))
        self._generation += 1

    @property
    def mean(self) -> Array:
        return self._mean.copy()

    def statistics(self) -> dict[str, float]:
        """`sigma`, the coordinates' mean, and the `sigma_least` and `sigma_most` of them."""
        sigma = self._sigma
        return {"sigma": float(sigma.mean()), "sigma_least": float(sigma.min()), "sigma_most": float(sigma.max())}

    @property
    def state(self) -> State:
        return {
            "generation": self._generation,
            "mean": self._mean.copy(),
            "sigma": self._sigma.copy(),
            "ascent": self._ascent.state,
        }

    @state.setter
    def state(self, state: State) -> None:
        self._generation = take(state, "generation", int)
        self._mean = take(state, "mean", np.ndarray).copy()
        self._sigma = take(state, "sigma", np.ndarray).copy()
        self._ascent.state = take(state, "ascent", dict)


def make_ascent(name: str, dimension: int, momentum: float, max_speed: float) -> Ascent:
    """The rule of that name."""
    if name == "clipup":
        return ClipUp(dimension, momentum=momentum, max_speed=max_speed)
    if name == "adam":
        return Adam(dimension, momentum=momentum)
    raise ConfigError(f"ascent={name} is not one of adam, clipup")
