"""CMA-ES (Hansen 2016): nevergrad's, which is pycma's, in whole populations."""

from functools import partial
from typing import Literal

import numpy as np

from anx.errors import ConfigError
from anx.internal import pycma
from anx.solvers.base import Array, Solver, check_sizes
from anx.solvers.state import State, random_state_from_data, random_state_to_data, take


class CMAES(Solver):
    """CMA-ES around 0.

    Args:
        dimension: D.
        popsize: P, candidates a generation.
        sigma0: the first step size.
        sigma_min: the step size never falls below. Noisy fitness lets it collapse long before the search is over.
        diagonal: learn variances only: D numbers instead of D x D, for thousands of parameters.
        step_size: `csa`, cumulative step-size adaptation (Hansen 2016, equation 44), or `tpa`, two-point adaptation
            (Hansen 2008), which spends two candidates on trying the last step's direction and is cheaper.
        seed: of its randomness.
    """

    def __init__(
        self,
        dimension: int,
        *,
        popsize: int = 256,
        sigma0: float = 0.1,
        sigma_min: float = 0.0,
        diagonal: bool = False,
        step_size: Literal["csa", "tpa"] = "csa",
        seed: int = 0,
    ) -> None:
        if step_size not in ("csa", "tpa"):
            raise ConfigError(f"step_size={step_size} is not one of csa, tpa")
        if step_size == "tpa" and popsize == 2:
            raise ConfigError("popsize=2 must be at least 3 with step_size=tpa")
        if sigma_min < 0:
            raise ConfigError(f"sigma_min={sigma_min} must be at least 0")
        check_sizes(popsize, sigma0)
        self.popsize = popsize
        self.sigma_min = sigma_min
        self.diagonal = diagonal
        self._random_state = np.random.RandomState(seed)
        self._make_strategy = partial(
            pycma.build,
            dimension,
            popsize=popsize,
            sigma0=sigma0,
            diagonal=diagonal,
            step_size=step_size,
            random_state=self._random_state,
        )
        self._build()

    def _build(self) -> None:
        self.strategy = self._make_strategy()
        self._asked: list[Array] = []
        self._remember()

    def _remember(self) -> None:
        # What the next `ask` will use up: a solver whose population was never told asks for the same one again.
        self._randomness = random_state_to_data(self._random_state)
        self._directions = pycma.get_directions(self.strategy)

    def ask(self) -> Array:
        self._asked = self.strategy.ask()
        return np.stack(self._asked)

    def tell(self, fitness: Array) -> None:
        self.strategy.tell(self._asked, (-fitness).tolist())
        self.strategy.sigma = max(self.strategy.sigma, self.sigma_min)
        self._asked = []
        self._remember()

    @property
    def mean(self) -> Array:
        return np.array(self.strategy.mean)

    def statistics(self) -> dict[str, float]:
        """`sigma`, and the condition number of the covariance: the ratio of its largest variance to its smallest."""
        scaling = self.strategy.sigma_vec.scaling  # a diagonal strategy's standard deviations, which pycma leaves out
        condition = np.square(scaling.max() / scaling.min()) if self.diagonal else self.strategy.condition_number
        return {"sigma": float(self.strategy.sigma), "condition_number": float(condition)}

    @property
    def state(self) -> State:
        return {**pycma.get_state(self.strategy), "directions": self._directions, "random": self._randomness}

    @state.setter
    def state(self, state: State) -> None:
        self._build()
        pycma.set_state(self.strategy, state, take(state, "directions", np.ndarray))
        random_state_from_data(self._random_state, take(state, "random", dict))
        self._remember()
