"""What a solver is: populations out, fitness in, its whole state as data.

A solver of one's own is one class, in my_solver.py,

    import numpy as np

    from anx.solvers.base import Solver

    class Mine(Solver):
        def __init__(self, dimension: int, *, popsize: int = 16, sigma0: float = 0.1, seed: int = 0) -> None:
            self.popsize, self.sigma0, self.seed = popsize, sigma0, seed
            self.state = {"mean": np.zeros(dimension), "generation": 0}

        def ask(self):  # [P, D]
            random = np.random.default_rng([self.seed, self.generation])
            return self.mean + self.sigma0 * random.standard_normal((self.popsize, len(self.mean)))

        def tell(self, fitness):  # [P]
            best = self.ask()[fitness.argsort()[-(self.popsize // 4) :]]
            self.state = {"mean": best.mean(0), "generation": self.generation + 1}

        @property
        def mean(self):  # [D]
            return self._mean

        @property
        def state(self):
            return {"mean": self._mean, "generation": self.generation}

        @state.setter
        def state(self, state):
            self._mean, self.generation = state["mean"], state["generation"]

and a file beside it, configs/optimizer/mine.yaml, whose keys are the constructor's arguments:

    # The mean of the best quarter.
    _target_: my_solver.Mine
    _partial_: true  # D, the first argument, is known when the agent is built
    popsize: ${budgets.${size}.popsize}
    sigma0: 0.1
    seed: ${seed}

It is chosen by `python -m anx.run --config-dir configs optimizer=mine`.

Random numbers that depend on (seed, generation) alone, as above, need no place in the state, and a generation that was
interrupted is drawn again as it was.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from anx.errors import ConfigError
from anx.seeds import SEARCH
from anx.solvers.state import State

Array = NDArray[np.float64]


class Solver(ABC):
    """A search around 0 in D dimensions; whoever asks adds where it starts. Fitness is maximised.

    Each `ask` is followed by one `tell`, unless a generation is interrupted: then a `state` is loaded. The constructor
    takes D first, and raises ConfigError, `popsize=1 must be at least 2`, where an argument is none that it can work
    with.
    """

    popsize: int  # P, candidates a generation
    pairs: bool = False  # whether candidates 0 and 1, 2 and 3, ... are mirror images around the mean
    compares_generations: ClassVar[bool] = False  # whether it asks which of two generations' fitness is higher
    mean_of: int = 0  # which search's `mean` is, of a solver that holds several

    def begin(self, candidates: Array) -> None:
        """Have these [P, D] as the first generation's candidates.

        Raises:
            ConfigError: it draws its own.
        """
        raise ConfigError(
            f"_target_={type(self).__name__} draws its first candidates itself; optimizer=genetic takes some"
        )

    def spare(self, directions: Array) -> None:
        """Draw the next candidates without these directions [K, D], orthonormal.

        Raises:
            ConfigError: it draws in all of them.
        """
        raise ConfigError(f"_target_={type(self).__name__} draws in all directions; optimizer=genetic can spare some")

    @abstractmethod
    def ask(self) -> Array:
        """The next candidates [P, D]."""

    @abstractmethod
    def tell(self, fitness: Array) -> None:
        """Learn from the candidates' fitness [P], all of it finite, in the order in which they were asked."""

    @property
    @abstractmethod
    def mean(self) -> Array:
        """The solver's estimate of the best point [D]: what is validated, saved and shipped."""

    def statistics(self) -> dict[str, float]:
        """What to log of the last generation, by name; `sigma` is the step size."""
        return {}

    @property
    @abstractmethod
    def state(self) -> State:
        """Copies of everything that the next generations depend on, by name.

        Between `ask` and `tell` it is still that of the last generation's end: a solver that is given it asks for the
        same candidates again, bit for bit. The constructor's arguments are no part of it: a run goes on with its own.
        """

    @state.setter
    @abstractmethod
    def state(self, state: State) -> None:
        """Go on from the state of a solver with the same arguments; ConfigError where this version can't."""


def check_sizes(popsize: int, sigma0: float) -> None:
    """ConfigError unless a search of that size is one."""
    if popsize < 2:
        raise ConfigError(f"popsize={popsize} must be at least 2")
    if sigma0 <= 0:
        raise ConfigError(f"sigma0={sigma0} must be greater than 0")


def randomness(seed: int, generation: int) -> np.random.Generator:
    """What a search draws a generation from; it depends on the arguments alone: there is no random state to carry."""
    return np.random.default_rng([seed, SEARCH, generation])
