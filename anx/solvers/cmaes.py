"""CMA-ES (Hansen 2016): nevergrad's, which is pycma's, in whole populations."""

from functools import partial

import numpy as np

from anx.internal import pycma
from anx.solvers.base import Solver
from anx.solvers.state import State, random_state_from_data, random_state_to_data


class CMASolver(Solver):
    """CMA-ES around 0.

    Args:
        dimension: D.
        popsize: P, candidates a generation.
        sigma0: the first step size.
        sigma_min: the step size never falls below.
        diagonal: variances only.
        step_size: `csa` or `tpa`, the rule of the step size.
        seed: of its randomness.
    """

    def __init__(
        self,
        dimension: int,
        *,
        popsize: int,
        sigma0: float,
        sigma_min: float = 0.0,
        diagonal: bool = False,
        step_size: str = "csa",
        seed: int = 0,
    ) -> None:
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
        self._asked: list[np.ndarray] = []
        self._remember()

    def _remember(self) -> None:
        # What the next `ask` will use up: a solver whose population was never told asks for the same one again.
        self._randomness = random_state_to_data(self._random_state)
        self._directions = pycma.get_directions(self.strategy)

    def ask(self) -> np.ndarray:
        self._asked = self.strategy.ask()
        return np.stack(self._asked)

    def tell(self, fitness: np.ndarray) -> None:
        self.strategy.tell(self._asked, (-fitness).tolist())
        self.strategy.sigma = max(self.strategy.sigma, self.sigma_min)
        self._asked = []
        self._remember()

    @property
    def mean(self) -> np.ndarray:
        return np.array(self.strategy.mean)

    def statistics(self) -> dict[str, float]:
        scaling = self.strategy.sigma_vec.scaling  # a diagonal strategy's standard deviations, which pycma leaves out
        condition = np.square(scaling.max() / scaling.min()) if self.diagonal else self.strategy.condition_number
        return {"sigma": float(self.strategy.sigma), "condition_number": float(condition)}

    def state(self) -> State:
        return {**pycma.get_state(self.strategy), "directions": self._directions, "random": self._randomness}

    def load_state(self, state: State) -> None:
        self._build()
        pycma.set_state(self.strategy, state, state["directions"])
        random_state_from_data(self._random_state, state["random"])
        self._remember()
